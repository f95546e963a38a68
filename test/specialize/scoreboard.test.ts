import test from 'ava';
import { fieldsOf, makePainter, sharpPixels, truthOfFrame, type Field } from '../../actors/stream-sampler/index.ts';
import { readDocuments } from '../../deploy/documents/index.ts';
import { editDistance } from '../../deploy/demo/judge.ts';
import { readModels, study } from '../../deploy/prefix/index.ts';
import { imaging, type LoadedModel } from '../../gpu-host/index.ts';
import type { Picture } from '../../contracts/index.ts';
import { openCpu } from '../gpu-host/model-setup.ts';
import { modelAt } from './setup.ts';

const FRAMES = 12;
const APART = 37;
const READERS = ['read-score', 'read-clock', 'read-names'] as const;
type Reader = (typeof READERS)[number];
const readerFile = (reader: Reader): string => `examples/models/${reader}.yaml`;
const READER_OF: Readonly<Record<Field['name'], Reader>> = {
  home: 'read-names',
  away: 'read-names',
  player: 'read-names',
  homeScore: 'read-score',
  awayScore: 'read-score',
  clock: 'read-clock',
};

/** Crops around the texts of the demo's broadcasts, with what they say. The margin is what a text detector leaves. */
async function crops(changes: {
  noise?: number;
  width?: number;
  height?: number;
}): Promise<{ field: Field; picture: Picture }[]> {
  const { documents } = await readDocuments(['examples/scoreboard/streams.yaml']);
  const all: { field: Field; picture: Picture }[] = [];
  for (const { document } of documents) {
    if (document.kind !== 'Stream' || document.source.kind !== 'synthetic') continue;
    const shown = { ...document, source: { ...document.source, ...changes } };
    const painter = await makePainter(shown.source, 60, sharpPixels);
    for (let i = 0; i < FRAMES; i++) {
      const truth = truthOfFrame(shown, i * APART)!;
      const frame: Picture = { encoding: 'jpeg', data: await painter.paint(truth) };
      const fields = fieldsOf(truth);
      const margin = truth.height / 72;
      const regions = fields.map(({ box }) => ({
        x: box.x - margin,
        y: box.y - margin,
        width: box.width + 2 * margin,
        height: box.height + 2 * margin,
      }));
      (await imaging.crop(frame, regions)).forEach((picture, at) => all.push({ field: fields[at]!, picture }));
    }
  }
  return all;
}

async function read(model: LoadedModel, pictures: readonly Picture[]): Promise<string[]> {
  const texts: string[] = [];
  for (const picture of pictures) {
    const { outputs } = await model.run([await model.prepare(picture)]);
    const [output] = outputs;
    if (output instanceof Error || output?.kind !== 'text') throw new Error(`no text: ${JSON.stringify(output)}`);
    texts.push(output.text.replaceAll(' ', ''));
  }
  return texts;
}

for (const [situation, broadcast] of [
  ['as the demo shows them', {}],
  ['less than a third as large, in noise: hardly readable', { width: 192, height: 108, noise: 0.2 }],
] as const)
  test(`scoreboard: specialised readers read at least as well as the whole one (${situation})`, async t => {
    t.timeout(120_000);
    const whole = await modelAt('examples/models/ppocr-rec.yaml');
    const device = await openCpu();
    t.teardown(() => device.close());
    const examples = await crops(broadcast);
    const loaded = await device.load(whole, { batchMax: 1 });
    const pictures = examples.map(({ picture }) => picture);
    const texts = { whole: await read(loaded, pictures), narrow: [] as string[] };
    await loaded.release();
    for (const reader of READERS) {
      const model = await device.load(await modelAt(readerFile(reader)), { batchMax: 1 });
      const mine = [...examples.keys()].filter(i => READER_OF[examples[i]!.field.name] === reader);
      const answers = await read(
        model,
        mine.map(i => pictures[i]!),
      );
      mine.forEach((i, at) => (texts.narrow[i] = answers[at]!));
      await model.release();
    }
    const wrong = (of: readonly string[], reader?: string): number =>
      examples.reduce(
        (sum, { field }, i) =>
          reader !== undefined && READER_OF[field.name] !== reader ? sum : sum + editDistance(field.text, of[i]!),
        0,
      );
    const characters = examples.reduce((sum, { field }) => sum + field.text.length, 0);
    for (const reader of READERS) {
      t.log(
        `${reader}: wrong characters ${wrong(texts.narrow, reader)}, of the whole reader ${wrong(texts.whole, reader)}`,
      );
      t.true(wrong(texts.narrow, reader) <= wrong(texts.whole, reader), reader);
    }
    t.log(`of ${characters} characters in ${examples.length} crops`);
    if (situation === 'as the demo shows them') t.true(wrong(texts.narrow) / characters < 0.02);
  });

test('scoreboard: the readers run as one mixed batch on their trunk, and each reads what it reads alone', async t => {
  t.timeout(120_000);
  const [group] = study(await readModels(READERS.map(readerFile), {})).groups;
  t.is(group!.group.members.length, 3);
  const examples = (await crops({})).slice(0, 6);
  const device = await openCpu();
  t.teardown(() => device.close());
  const files = await Promise.all(READERS.map(reader => modelAt(readerFile(reader))));
  const prefix = await device.loadPrefix(files[0]!, { cut: group!.cut.hash.slice(0, 12), batchMax: examples.length });
  const members = [];
  const wanted: string[][] = [];
  for (const [at, reader] of READERS.entries()) {
    const suffix = await prefix.loadSuffix(files[at]!, { batchMax: examples.length });
    const mine = examples.filter(({ field }) => READER_OF[field.name] === reader);
    members.push({
      suffix: suffix.id,
      inputs: await Promise.all(mine.map(async ({ picture }) => suffix.prepare(picture))),
    });
    wanted.push(mine.map(({ field }) => field.text));
  }
  const ran = await prefix.runMixed(members);
  const texts = ran.members.map(member => {
    if (member instanceof Error) throw member;
    return member.outputs.map(output =>
      output instanceof Error || output.kind !== 'text' ? 'no text' : output.text.replaceAll(' ', ''),
    );
  });
  t.deepEqual(texts, wanted);
});
