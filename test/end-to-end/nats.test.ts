import test from 'ava';
import { realClock } from '../../bus/index.ts';
import { sleep } from '../../contracts/index.ts';
import { Cleanup } from './cleanup.ts';
import { jpeg, startCluster, type TestCluster } from './cluster.ts';
import { plainClient, startServer, type Server } from './nats.ts';
import { cli, startCli } from './processes.ts';
import { until } from './until.ts';

const START_MS = 120_000;
/** How long the server stays away: the fault itself, nothing is awaited by it. */
const AWAY_MS = 3_000;
const FRAMES_AFTER = 20;

const cleanup = new Cleanup();
let server: Server;
let cluster: TestCluster;
let picture: Uint8Array;

test.before(async t => {
  t.timeout(START_MS);
  picture = await jpeg();
  server = await startServer(cleanup);
  cluster = await startCluster(cleanup, { natsUrl: server.url });
  await cluster.serves('watch', picture);
});
test.after.always(async t => {
  t.timeout(START_MS);
  await cleanup.run();
});

const faults: Record<string, (server: Server) => Promise<void>> = {
  'is stopped': server => server.stop(),
  'is killed': server => server.crash(),
};

for (const [i, [fault, takeAway]] of Object.entries(faults).entries()) {
  test.serial(
    `nats: the server ${fault} while frames flow and comes back after 3 s: all carry on by themselves`,
    async t => {
      t.timeout(START_MS);
      const flow = cluster.flow(`watch-away-${i}`, picture);
      await cluster.ledger.settled(flow.stream, [1, 2, 3]);
      await takeAway(server);
      await sleep(realClock, AWAY_MS);
      await server.startAgain();
      await until('this side is connected again', () => cluster.bus.connected);
      const backAt = flow.latest;
      const answered = await until(
        'frames are answered again',
        () => cluster.ledger.all(flow.stream).find(({ outcome, seq = 0 }) => outcome === 'ok' && seq > backAt),
        { limitMs: 90_000, state: () => `${JSON.stringify(cluster.ledger.outcomes(flow.stream))}\n${cluster.story()}` },
      );
      await until('frames flow on', () => flow.after(answered.seq!).length >= FRAMES_AFTER);
      flow.stop();
      const after = flow.after(answered.seq!);
      await cluster.ledger.settled(flow.stream, after);
      t.deepEqual(
        after.filter(seq => !['ok', 'late'].includes(cluster.ledger.of(flow.stream, seq)[0]!.outcome)),
        [],
        'every frame from then on is answered',
      );
      t.deepEqual(cluster.ledger.twice(flow.stream), []);
      t.deepEqual(
        cluster.launched.actors().map(({ name, restarts, state }) => `${name} ${state} ${restarts}`),
        ['router running 0', 'batcher running 0', 'gpu running 0', 'allocator running 0'],
        'nobody had to be started again',
      );
      t.log(cluster.ledger.outcomes(flow.stream));
    },
  );
}

test('nats: absent at the start: an actor says what it waits for, and runs once there is a server', async t => {
  t.timeout(START_MS);
  const own = new Cleanup();
  t.teardown(() => own.run());
  const absent = await startServer(own);
  await absent.stop();
  const actor = startCli(own, ['run', 'query-router', '--name', 'early', '--nats', absent.url]);
  await until('it says what it waits for', () => actor.err().includes('waiting for NATS at'), { state: actor.err });
  t.regex(actor.err(), new RegExp(`waiting for NATS at ${absent.url}.*connection refused`));
  await absent.startAgain();
  const client = await plainClient(own, absent.url);
  await until(
    'it answers to its name',
    async () => client.request('$SRV.PING.query-router.early', undefined, { timeout: 500 }),
    {
      state: actor.err,
    },
  );
  actor.child.kill('SIGTERM');
  const { code, err } = await actor.exited;
  t.is(code, 0, err);
});

test('nats: absent: commands say so, where they looked and what to do, with exit code 1', async t => {
  t.timeout(START_MS);
  const own = new Cleanup();
  t.teardown(() => own.run());
  const absent = await startServer(own);
  await absent.stop();
  for (const command of [['run', 'query-router', '--no-wait'], ['status'], ['drain', 'gpu'], ['get', 'models']]) {
    const { code, err } = await cli(own, [...command, '--nats', absent.url]);
    t.is(code, 1, `${command.join(' ')}: ${err}`);
    t.true(err.includes(`no NATS at ${absent.url} (connection refused)`), err);
    t.regex(err, /start a cluster with: ganglion up CLUSTER\.yaml/);
  }
});
