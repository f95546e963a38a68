import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { stringify } from 'yaml';
import type { ClusterEvent } from '../../deploy/cluster/index.ts';
import { Cleanup } from './cleanup.ts';
import { jpeg, ONE_OF_EACH } from './cluster.ts';
import { WATCH, writeDocuments } from './models.ts';
import { cli, descendants, noneLeft, startCli, type Program } from './processes.ts';
import { until } from './until.ts';

const TEST_MS = 120_000;

interface Up {
  readonly cleanup: Cleanup;
  readonly program: Program;
  readonly folder: string;
  readonly events: () => ClusterEvent[];
  /** All processes that it has started, seen from outside. */
  readonly family: () => number[];
}

async function up(t: ExecutionContext, actors: object[] = ONE_OF_EACH): Promise<Up> {
  t.timeout(TEST_MS);
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.run());
  const folder = await cleanup.folder();
  const documents = await writeDocuments(folder, 'documents.yaml', WATCH.documents);
  const file = join(folder, 'cluster.yaml');
  const nats = { start: true, port: 0 };
  await writeFile(file, stringify({ kind: 'Cluster', name: 'up', nats, actors, apply: [documents] }));
  const program = startCli(cleanup, ['up', file, '--json', '--data', join(folder, 'data')]);
  const events = (): ClusterEvent[] =>
    program
      .out()
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as ClusterEvent);
  return { cleanup, program, folder, events, family: () => descendants(program.pid) };
}

const isUp = ({ events, program }: Up): Promise<ClusterEvent & { event: 'up' }> =>
  until('the cluster is up', () => events().find(event => event.event === 'up'), {
    state: () => program.out() + program.err(),
  }) as Promise<ClusterEvent & { event: 'up' }>;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test.serial(`up: stopped by ${signal}: all end in good order with code 0, no process is left`, async t => {
    const cluster = await up(t);
    await isUp(cluster);
    const family = cluster.family();
    t.true(family.length >= ONE_OF_EACH.length + 1, 'the actors and nats-server');
    cluster.program.child.kill(signal);
    const { code, err } = await cluster.program.exited;
    t.is(code, 0, err);
    const exits = cluster.events().filter(event => event.event === 'exited');
    t.deepEqual(
      exits.map(({ code, expected }) => ({ code, expected })),
      ONE_OF_EACH.map(() => ({ code: 0, expected: true })),
    );
    t.is(cluster.events().at(-1)?.event, 'stopped');
    await noneLeft(family);
  });
}

test.serial('up: killed with -9: no process is left', async t => {
  const cluster = await up(t);
  await isUp(cluster);
  const family = cluster.family();
  t.true(family.length >= ONE_OF_EACH.length + 1);
  cluster.program.child.kill('SIGKILL');
  t.is((await cluster.program.exited).signal, 'SIGKILL');
  await noneLeft(family);
});

test.serial('up: interrupted while it starts: no process is left', async t => {
  const cluster = await up(t);
  await until('the first actor is starting', () => cluster.events().some(event => event.event === 'starting'));
  const family = cluster.family();
  cluster.program.child.kill('SIGINT');
  const { code, err } = await cluster.program.exited;
  t.is(code, 0, err);
  await noneLeft(family);
});

test.serial('up: an actor whose configuration is wrong: the reason, exit code not 0, no process is left', async t => {
  const cluster = await up(t, [
    ...ONE_OF_EACH,
    { actor: 'gpu-host', name: 'odd', config: { device: { kind: 'quantum' } } },
  ]);
  const { code, out, err } = await cluster.program.exited;
  t.not(code, 0);
  t.regex(out + err, /odd did not start|device/);
  await noneLeft(cluster.events().flatMap(event => (event.event === 'starting' ? [event.pid] : [])));
});

test.serial('up: its nats-server is killed: it is started again on its port and all carry on', async t => {
  const cluster = await up(t);
  const { url } = await isUp(cluster);
  const picture = join(cluster.folder, 'p.jpg');
  await writeFile(picture, await jpeg());
  const answered = async (): Promise<boolean> =>
    (await cli(cluster.cleanup, ['infer', 'watch', picture, '--nats', url, '--json'])).code === 0;
  await until('the query is served', answered, { state: cluster.program.out });
  const nats = cluster.family().find(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('nats-server'));
  if (nats === undefined) throw new Error('nats-server is not among the processes that it started');
  process.kill(nats, 'SIGKILL');
  await until('it is started again', () =>
    cluster.events().some(event => event.event === 'restarting' && event.actor === 'nats'),
  );
  await until('the query is served again', answered, { limitMs: 90_000, state: cluster.program.out });
  t.deepEqual(
    cluster.events().filter(event => event.event === 'exited'),
    [],
    'no actor had to be started again',
  );
});
