import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { launchCluster, type ClusterEvent, type LaunchedCluster } from '../../deploy/cluster/index.ts';
import type { ExecutionContext } from 'ava';
import { isRunning, spawnCommand, temporaryFolder, until } from './command-line.ts';

const ECHO = `
import { actor, Type } from 'ganglion';
export default actor({
  name: 'echo', version: '1.0.0', description: 'Does little.',
  config: Type.Object({ crash: Type.Optional(Type.Boolean()) }),
  state: () => ({}),
  start: ctx => { if (ctx.config.crash) throw new Error('can not start'); },
});
`;

async function launch(t: ExecutionContext, actors: { actor: string; name?: string; count?: number }[]) {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'echo.ts'), ECHO);
  const events: ClusterEvent[] = [];
  const cluster: LaunchedCluster = await launchCluster({
    document: { kind: 'Cluster', name: 'small', nats: { start: true, port: 0 }, actors },
    baseDir: folder,
    dataDir: folder,
    restart: { firstMs: 10, longestMs: 50 },
    onEvent: event => events.push(event),
  });
  t.teardown(async () => {
    await cluster.close();
    if (!t.passed) t.log(events.map(event => JSON.stringify(event)).join('\n'));
  });
  const pidOf = (name: string): number => cluster.actors().find(actor => actor.name === name)!.pid!;
  return { cluster, events, pidOf };
}

test.serial('up: a killed actor is started again, one that is stopped is not, and nothing is left behind', async t => {
  const { cluster, events, pidOf } = await launch(t, [{ actor: './echo.ts', count: 2 }, { actor: 'prefix-batcher' }]);
  t.deepEqual(
    cluster.actors().map(({ name, state }) => [name, state]),
    [
      ['echo-1', 'running'],
      ['echo-2', 'running'],
      ['prefix-batcher-1', 'running'],
    ],
  );
  const before = pidOf('echo-1');
  cluster.kill('echo-1');
  await until('a new process runs', () => cluster.actors()[0]!.state === 'running' && pidOf('echo-1') !== before);
  t.true(events.some(event => event.event === 'restarting' && event.actor === 'echo-1'));
  t.false(isRunning(before));

  await cluster.stop('echo-2');
  t.is(cluster.actors()[1]!.state, 'stopped');
  t.deepEqual(await cluster.add({ actor: './echo.ts' }), ['echo-3']);
  await cluster.start('echo-2');

  const pids = cluster.actors().map(({ pid }) => pid!);
  t.is(pids.filter(isRunning).length, 4);
  await cluster.close();
  t.deepEqual(pids.filter(isRunning), []);
  t.is(events.at(-1)!.event, 'stopped');
});

test.serial('up: an actor that can not start makes the launch fail, says why, and stops the others', async t => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'echo.ts'), ECHO);
  const pids: number[] = [];
  const launching = launchCluster({
    document: {
      kind: 'Cluster',
      name: 'broken',
      nats: { start: true, port: 0 },
      actors: [{ actor: './echo.ts' }, { actor: './echo.ts', name: 'bad', config: { crash: 'yes' } }],
    },
    baseDir: folder,
    dataDir: folder,
    onEvent: event => {
      if (event.event === 'starting') pids.push(event.pid);
    },
  });
  await t.throwsAsync(launching, { message: /bad did not start[^]*crash/ });
  t.is(pids.length, 2);
  t.deepEqual(pids.filter(isRunning), []);
});

test.serial('up: when the launcher is killed, actors and NATS go with it', async t => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'echo.ts'), ECHO);
  const file = join(folder, 'cluster.yaml');
  await writeFile(
    file,
    'kind: Cluster\nname: c\nnats: { start: true, port: 0 }\nactors: [{ actor: ./echo.ts, count: 2 }]\n',
  );
  const up = spawnCommand(t, ['up', file, '--data', folder, '--json']);
  const events = (): ClusterEvent[] =>
    up
      .said()
      .split('\n')
      .filter(line => line.startsWith('{"event"'))
      .map(line => JSON.parse(line) as ClusterEvent);
  await until('it is up', () => events().some(event => event.event === 'up'));
  const pids = events().flatMap(event => (event.event === 'ready' ? [event.pid] : []));
  t.is(pids.filter(isRunning).length, 2);
  up.signal('SIGKILL');
  await up.ended;
  const nats = events().flatMap(event => (event.event === 'nats' ? [event.pid!] : []));
  t.is(nats.length, 1);
  await until('they are gone', () => [...pids, ...nats].every(pid => !isRunning(pid)));
});

test.serial('up: Ctrl-C stops all in good order, exit code 0', async t => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'echo.ts'), ECHO);
  const file = join(folder, 'cluster.yaml');
  await writeFile(file, 'kind: Cluster\nname: c\nnats: { start: true, port: 0 }\nactors: [{ actor: ./echo.ts }]\n');
  const up = spawnCommand(t, ['up', file, '--data', folder]);
  await up.says('stop with Ctrl-C');
  up.signal('SIGINT');
  t.is((await up.ended).code, 0);
  t.regex(up.said(), /echo-1 .*ended with code 0\n[^]*all stopped/);
});

test.serial(
  'up: a NATS server that dies is started again, on its port and with its files; the actors come back',
  async t => {
    const { cluster, events, pidOf } = await launch(t, [{ actor: './echo.ts' }]);
    const bucket = await cluster.bus.keyValue('ganglion-config');
    await bucket.put('a', Buffer.from('1'));
    const actor = pidOf('echo-1');
    const servers = () => events.flatMap(event => (event.event === 'nats' ? [event] : []));
    process.kill(servers()[0]!.pid!, 'SIGKILL');
    await until('a new server runs', () => servers().length === 2 && cluster.bus.connected);
    t.is(servers()[1]!.url, cluster.url);
    t.is(Buffer.from((await bucket.get('a'))!.value!).toString(), '1');
    const heard = async (): Promise<boolean> =>
      (await cluster.bus.requestMany('$SRV.PING.echo', new Uint8Array(0), { waitMs: 500, max: 1 })).length === 1;
    await until('the actor answers again', heard);
    t.is(pidOf('echo-1'), actor, 'it is the same process');
  },
);
