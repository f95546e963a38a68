import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { decode, encode } from '../../bus/index.ts';
import { subjects, type Result, type StageResult } from '../../contracts/index.ts';
import { Cleanup } from './cleanup.ts';
import { startCluster, type TestCluster } from './cluster.ts';
import { cli, ROOT, startCli } from './processes.ts';
import { until } from './until.ts';

const EXAMPLE = join(ROOT, 'examples/actors/score-alert.ts');
const TEST_MS = 60_000;
const TIMING = { routeMs: 0, scheduleMs: 0, transferMs: 0, waitMs: 0, runMs: 1, returnMs: 0 };

const cleanup = new Cleanup();
let cluster: TestCluster;

test.before(async t => {
  t.timeout(TEST_MS);
  cluster = await startCluster(cleanup, { actors: [{ actor: 'query-router', name: 'router' }], documents: [] });
});
test.after.always(async t => {
  t.timeout(TEST_MS);
  await cleanup.run();
});

/** What the query `scoreboard` would say of a frame that shows these texts from left to right. */
function showing(stream: string, seq: number, texts: readonly string[], outcome: Result['outcome'] = 'ok'): Result {
  const common = { model: 'm@000000000000', host: 'gpu', batch: 1, timing: TIMING };
  const boxes = texts.map((_text, i) => ({ x: 100 * i, y: 10, width: 50, height: 20, score: 0.9 }));
  // Answers come in any order; which box each belongs to is what counts.
  const read = texts
    .map(
      (text, item): StageResult => ({
        ...common,
        from: 'detect',
        parent: 0,
        item,
        output: { kind: 'text', text, score: 0.95 },
      }),
    )
    .toReversed();
  return {
    v: 1,
    request: `router-${stream}-${seq}`,
    tenant: 'default',
    query: 'scoreboard',
    stream,
    seq,
    outcome,
    latencyMs: 12.5,
    objectiveMs: 1000,
    stages: { detect: [{ ...common, output: { kind: 'boxes', boxes } }], read },
    router: 'router',
    epoch: 1,
    emulated: false,
  };
}

function publish(...results: Result[]): void {
  for (const result of results) {
    const { tenant, query, stream = '' } = result;
    cluster.bus.publish(subjects.results.at(cluster.prefix, { tenant, query, stream }), encode(result));
  }
}

/** A game: first sight, a misreading, a goal, an answer that was dropped. */
function play(stream: string): void {
  const before = ['HOME', '2', '1', 'AWAY'];
  const after = ['HOME', '3', '1', 'AWAY'];
  publish(
    showing(stream, 1, before),
    showing(stream, 2, before),
    showing(stream, 3, ['HOME', '7', '1', 'AWAY']),
    showing(stream, 4, before),
    showing(stream, 5, ['HOME', '9', '9', 'AWAY'], 'dropped'),
    showing(stream, 6, ['HOME', '9', '9', 'AWAY'], 'dropped'),
    showing(stream, 7, after),
    showing(stream, 8, after),
    showing(stream, 9, after),
  );
}
const ALERTS = [
  { v: 1, field: 'score', before: null, now: '2 : 1', seq: 2, latencyMs: 12.5 },
  { v: 1, field: 'score', before: '2 : 1', now: '3 : 1', seq: 8, latencyMs: 12.5 },
];

async function alertsOf(stream: string): Promise<unknown[]> {
  const alerts: unknown[] = [];
  const listening = cluster.bus.subscribe(`${cluster.prefix}.alerts.default.${stream}`, ({ data }) => {
    alerts.push(decode(Uint8Array.from(data)));
  });
  cleanup.add(() => listening.unsubscribe());
  await cluster.bus.flush();
  return alerts;
}

/** Each stream's alerts come in order; when those of a later game are there, nothing more comes for the first. */
async function plays(
  t: { deepEqual(a: unknown, b: unknown): void },
  prefix: string,
  state: () => string,
): Promise<void> {
  const [first, second] = [await alertsOf(`${prefix}-1`), await alertsOf(`${prefix}-2`)];
  play(`${prefix}-1`);
  play(`${prefix}-2`);
  await until('the second game was told', () => second.length >= ALERTS.length, { state });
  t.deepEqual(first, ALERTS);
  t.deepEqual(second, ALERTS);
}

const runs = async (name: string, state: () => string): Promise<unknown> =>
  until(
    `${name} runs`,
    () => cluster.bus.request(`$SRV.PING.score-alert.${name}`, new Uint8Array(0), { timeoutMs: 500 }),
    { state },
  );

// One after the other: each of them hears all streams.
test.serial(
  'own actor: run from the repository it tells when the score changes, once, and leaves politely',
  async t => {
    t.timeout(TEST_MS);
    const actor = startCli(cleanup, [
      'run',
      EXAMPLE,
      '--name',
      'here',
      '--nats',
      cluster.url,
      '--set',
      'query=scoreboard',
    ]);
    await runs('here', actor.err);
    await plays(t, 'here', actor.err);
    actor.child.kill('SIGTERM');
    const { code, err } = await actor.exited;
    t.is(code, 0, err);
  },
);

test.serial('own actor: the same from a folder outside, in its own cluster document, with the supervisor', async t => {
  t.timeout(TEST_MS);
  const folder = await cleanup.folder();
  await copyFile(EXAMPLE, join(folder, 'my-alert.ts'));
  const [name] = await cluster.launched.add({
    actor: join(folder, 'my-alert.ts'),
    config: { query: 'scoreboard', watch: { score: '^\\d{1,3}$' } },
  });
  await plays(t, 'there', cluster.story);
  cluster.launched.kill(name!, 'SIGKILL');
  await until('it was started again', () =>
    cluster.launched.actors().some(one => one.name === name && one.restarts === 1 && one.state === 'running'),
  );
  await plays(t, 'again', cluster.story);
});

const wrong: Record<string, { file: string; text: string; says: RegExp }> = {
  'no such file': { file: 'none.ts', text: '', says: /none\.ts: there is no such file/ },
  'a mistake in its code': { file: 'typo.ts', text: 'export default actor({', says: /typo\.ts: can't be loaded: / },
  'no actor in it': {
    file: 'empty.ts',
    text: 'export default 5;',
    says: /empty\.ts: has no actor as its default export/,
  },
};
for (const [situation, { file, text, says }] of Object.entries(wrong)) {
  test(`own actor: ${situation}: told with the file, exit code 2`, async t => {
    t.timeout(TEST_MS);
    const path = join(await cleanup.folder(), file);
    if (text) await writeFile(path, text);
    const { code, err } = await cli(cleanup, ['run', path, '--nats', cluster.url]);
    t.is(code, 2, err);
    t.regex(err, says);
  });
}

test('own actor: a wrong configuration is told with the field, exit code 2', async t => {
  t.timeout(TEST_MS);
  const { code, err } = await cli(cleanup, ['run', EXAMPLE, '--nats', cluster.url, '--set', 'confirmations=many']);
  t.is(code, 2, err);
  t.regex(err, /confirmations/);
});
