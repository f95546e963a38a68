import test from 'ava';
import type { Picture, Result } from '../../contracts/index.ts';
import { manifest, MODELS, textPicture } from '../gpu-host/model-setup.ts';
import { openSystem, type Asked as Reader } from './in-process.ts';

/** What each reader is given, on pictures of several widths. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  'read-score': ['3', '21', '118'],
  'read-clock': ['21:07', '4.5', '00:59'],
  'read-names': ['LIONS', 'HOME', 'BAY CITY'],
};
const READERS = Object.keys(LINES);
const FLOWS_EACH = 2;

interface Line {
  readonly reader: string;
  readonly text: string;
  readonly picture: Picture;
}

const pictureOf = (text: string): Promise<Picture> =>
  textPicture(32 * Math.ceil((text.length * 22 + 24) / 32), 48, [{ text, x: 10, y: 36, size: 30 }]);

function readOf({ outcome, trouble, stages }: Result): { text: string; score: number } {
  const output = stages['only']?.[0]?.output;
  if (output?.kind !== 'text') throw new Error(`${outcome}: ${JSON.stringify(trouble)}`);
  return { text: output.text, score: output.score };
}

test('end to end: three readers on one trunk answer in mixed batches what each answers alone, while they join and leave', async t => {
  t.timeout(90_000);
  const system = await openSystem(t, READERS.map(manifest), MODELS);
  const asked: Line[] = await Promise.all(
    Object.entries(LINES).flatMap(([reader, texts]) =>
      texts.map(async text => ({ reader, text, picture: await pictureOf(text) })),
    ),
  );
  const ask = async ({ reader, picture }: Line) => readOf(await system.ask(reader, picture));

  await system.plan(system.asked);
  const alone = new Map<Line, Awaited<ReturnType<typeof ask>>>();
  for (const one of asked) alone.set(one, await ask(one));
  t.deepEqual(
    asked.map(one => alone.get(one)!.text.replaceAll(' ', '')),
    asked.map(({ text }) => text.replaceAll(' ', '')),
  );
  t.deepEqual(new Set(system.mixed()), new Set([1]));

  const group = system.candidate(system.asked);
  t.is(group.members.length, READERS.length);
  await system.plan([], group);
  const together = await Promise.all(asked.map(async one => ({ one, answer: await ask(one) })));
  for (const { one, answer } of together) t.deepEqual(answer, alone.get(one), `${one.reader}: ${one.text}`);
  t.true(Math.max(...system.mixed()) === READERS.length);

  const flow = { goesOn: true };
  let answered = 0;
  const askOn = async (reader: string): Promise<void> => {
    const own = asked.filter(one => one.reader === reader);
    for (let i = 0; flow.goesOn; i++) {
      const one = own[i % own.length]!;
      t.deepEqual(await ask(one), alone.get(one), `${reader}: ${one.text}`);
      answered++;
    }
  };
  const flows = READERS.flatMap(reader => Array.from({ length: FLOWS_EACH }, () => askOn(reader)));
  const [score, clock, names] = system.asked as [Reader, Reader, Reader];
  const moved = async (whole: readonly Reader[], behind: readonly Reader[]): Promise<void> => {
    const members = group.members.filter(member => behind.some(({ stored }) => stored.id === member));
    const before = answered;
    await system.plan(whole, behind.length > 0 ? { ...group, members } : undefined);
    const batches = system.mixed().length;
    // Every flow has been answered by the new plan before the next comes.
    while (answered < before + 2 * flows.length || system.mixed().length < batches + 3) await ask(asked[0]!);
  };
  await moved([score], [clock, names]);
  await moved([], [score, clock, names]);
  await moved([clock], [score, names]);
  await moved([score, clock, names], []);
  await moved([], [score, clock, names]);
  flow.goesOn = false;
  await Promise.all(flows);
  t.true(answered >= 5 * 2 * flows.length);
  t.log(`${answered} answers while members moved`);
});
