import test, { type ExecutionContext } from 'ava';
import { decode, encode, realClock } from '../../bus/index.ts';
import { every, sleep, subjects, type BatcherBeat, type RouterBeat } from '../../contracts/index.ts';
import { applyFiles } from '../../deploy/apply/index.ts';
import { collectView, isAlive, type ViewCollector } from '../../deploy/view/index.ts';
import { Cleanup } from './cleanup.ts';
import { EMULATED, jpeg, startCluster, type TestCluster } from './cluster.ts';
import type { Flow } from './flow.ts';
import { classifier, query, WATCH, writeDocuments } from './models.ts';
import { cli } from './processes.ts';
import { until } from './until.ts';

/** Everything twice: here nobody is started again, so that it is the other one who takes over. */
const START_MS = 150_000;
/** Beyond every heartbeat deadline: the fault itself, nothing is awaited by it. */
const FROZEN_MS = 4_000;
const FRAMES_AFTER = 20;
/** Fifty of the large frames of the flood; far beyond what the other tests need. */
const HELD_BYTES_MAX = 10_000_000;
const QUEUE_MAX = 500;
/** Of any process: some 100 MB to start with, what it may hold, and copies on their way in and out (170 MB were measured). */
const RSS_BYTES_MAX = 400_000_000;

const cleanup = new Cleanup();
let cluster: TestCluster;
let picture: Uint8Array;
let seen: ViewCollector;

test.before(async t => {
  t.timeout(START_MS);
  picture = await jpeg();
  cluster = await startCluster(cleanup, {
    noRestarts: true,
    documents: [...WATCH.documents, query('flood', { look: { model: 'looker' } }, { objectiveMs: 500 })],
    actors: [
      { actor: 'stream-sampler', name: 'sampler' },
      { actor: 'query-router', name: 'router', count: 2, config: { heldBytesMax: HELD_BYTES_MAX } },
      { actor: 'prefix-batcher', name: 'batcher', count: 2, config: { queueMax: QUEUE_MAX } },
      { actor: 'gpu-host', name: 'gpu', count: 2, config: EMULATED },
      { actor: 'allocator', name: 'allocator', count: 2, config: { gatherMs: 500, leaseMs: 2000 } },
    ],
  });
  seen = collectView(cluster.bus, { prefix: cluster.prefix, clock: realClock });
  cleanup.add(() => seen.close());
  await cluster.serves('watch', picture);
});
test.after.always('nothing is left over', async t => {
  t.timeout(START_MS);
  await cleanup.run();
});

const leader = (): Promise<string> =>
  until(
    'an allocator leads',
    () => seen.view().allocators.find(one => isAlive(one) && one.beat.role === 'leader')?.name,
    {
      state: cluster.story,
    },
  );
const pool = () => until('there is a plan', () => seen.view().plan?.pools[0]);
const pid = (name: string): number | undefined => cluster.launched.actors().find(one => one.name === name)?.pid;

/** Frames before, during and after; then each of them has been answered, once. */
async function nothingLost(t: ExecutionContext, stream: string, fault: (flow: Flow) => Promise<void>): Promise<void> {
  const flow = cluster.flow(stream, picture);
  await cluster.ledger.settled(flow.stream, [1, 2, 3]);
  await fault(flow);
  const from = flow.latest;
  await until('frames flow on', () => flow.after(from).length >= FRAMES_AFTER);
  flow.stop();
  await cluster.ledger.settled(flow.stream, flow.published, 90_000).catch(error => {
    t.log(cluster.story());
    throw error;
  });
  const bad = flow.published.filter(seq => !/^(ok|late)$/.test(cluster.ledger.of(flow.stream, seq)[0]!.outcome));
  t.deepEqual(bad, [], JSON.stringify(cluster.ledger.outcomes(flow.stream)));
  t.deepEqual(cluster.ledger.twice(flow.stream), []);
  t.log(`${flow.published.length} frames: ${JSON.stringify(cluster.ledger.outcomes(flow.stream))}`);
}

const FROZEN: Record<string, () => Promise<string>> = {
  'a host that serves': async () => (await pool()).hosts[0]!,
  'the batcher in charge': async () => (await pool()).batcher,
  'the leading allocator': leader,
  'one of two routers': async () => 'router-1',
};
for (const [i, [who, find]] of Object.entries(FROZEN).entries()) {
  test.serial(`standby: ${who} stands still for ${FROZEN_MS / 1000} s and goes on: no frame is lost`, async t => {
    t.timeout(START_MS);
    const name = await find();
    const before = pid(name);
    await nothingLost(t, `watch-still-${i}`, async () => {
      cluster.launched.kill(name, 'SIGSTOP');
      try {
        await sleep(realClock, FROZEN_MS);
      } finally {
        cluster.launched.kill(name, 'SIGCONT');
      }
    });
    t.is(pid(name), before, 'it is the same process');
    await leader();
  });
}

test.serial(
  'standby: the sampler stands still and goes on: no number comes twice, each frame is answered once',
  async t => {
    t.timeout(START_MS);
    const stream = 'watch-sampled';
    const source = { kind: 'synthetic', width: 160, height: 96 };
    const file = await writeDocuments(cluster.folder, 'stream.yaml', [
      { kind: 'Stream', name: stream, source, rateHz: 5 },
    ]);
    await applyFiles(cluster.bus, [file], { prefix: cluster.prefix });
    const heard = (): readonly number[] => cluster.ledger.frames(stream);
    await until('the stream flows', () => heard().length >= 3, { state: cluster.story });
    cluster.launched.kill('sampler', 'SIGSTOP');
    try {
      await sleep(realClock, FROZEN_MS);
    } finally {
      cluster.launched.kill('sampler', 'SIGCONT');
    }
    const already = heard().length;
    await until('the stream flows again', () => heard().length >= already + 5, { state: cluster.story });
    await cluster.launched.stop('sampler');
    await cluster.ledger.settled(stream, heard());
    t.deepEqual(cluster.ledger.twice(stream), []);
    t.is(new Set(heard()).size, heard().length);
  },
);

test.serial(
  'standby: the leader dies between prepare and commit: what hosts have loaded is put in force by the other',
  async t => {
    t.timeout(START_MS);
    const loads = (): number =>
      cluster.events.filter(
        event =>
          event.event === 'log' &&
          event.line.message === 'residency' &&
          event.line['state'] === 'loading' &&
          String(event.line['model']).startsWith('second@'),
      ).length;
    const isLoaded = (): boolean =>
      seen
        .view()
        .hosts.some(({ beat }) => beat.residents.some(r => r.model.startsWith('second@') && r.state === 'resident'));
    const first = await leader();
    const serves = (name: string): boolean => seen.view().plan!.queries.some(one => one.query === name);
    await nothingLost(t, 'watch-commit', async () => {
      const emulation = { alphaMs: 1, betaMs: 15, persistentMB: 50, ephemeralMBPerItem: 5, loadMs: 3000 };
      const file = await writeDocuments(cluster.folder, 'second.yaml', [
        classifier('second', { version: '2', emulation }),
        query('second', { only: { model: 'second' } }),
      ]);
      await applyFiles(cluster.bus, [file], { prefix: cluster.prefix });
      await until(
        'the leader waits for the model to be loaded',
        () => {
          const beat = seen.view().allocators.find(({ name }) => name === first)?.beat;
          return beat?.phase === 'preparing' && beat.waitingFor.some(what => / to load .*second/.test(what));
        },
        { state: cluster.story },
      );
      // It stands still before the host is done, so it can't have committed when it dies.
      cluster.launched.kill(first, 'SIGSTOP');
      t.false(serves('second'), 'the plan that it prepares is not in force');
      await until('the host has loaded it', isLoaded, { state: cluster.story });
      const before = loads();
      cluster.launched.kill(first, 'SIGKILL');
      await until('the other one leads', async () => (await leader()) !== first, { state: cluster.story });
      await cluster.serves('second', picture);
      t.is(loads(), before, 'it was not loaded a second time');
    });
  },
);

test.serial('standby: the batcher in charge dies for good: the other takes over, no frame is lost', async t => {
  t.timeout(START_MS);
  const { batcher, hosts } = await pool();
  await nothingLost(t, 'watch-batcher', async () => {
    cluster.launched.kill(batcher, 'SIGKILL');
    await until('the other is in charge', async () => (await pool()).batcher !== batcher, { state: cluster.story });
  });
  t.deepEqual((await pool()).hosts, hosts, 'the hosts keep what they hold');
});

test.serial('standby: frames fill the links: beats, drain and plans come in time all the same', async t => {
  t.timeout(START_MS);
  const LATE_MS = 10_000;
  const FLOOD_MS = 8_000;
  const large = Buffer.concat([picture, new Uint8Array(200_000)]);
  const { bus, prefix } = cluster;
  const { stop, sent } = flood('flood-1', large);
  t.teardown(stop);
  const lastBeats = new Map<string, number>();
  let longestGapMs = 0;
  const most = { heldBytes: 0, queued: 0, rssBytes: 0 };
  const watch = (beat: Partial<RouterBeat & BatcherBeat>): void => {
    const { heldBytes = 0, pools = [], rssBytes = 0 } = beat;
    most.heldBytes = Math.max(most.heldBytes, heldBytes);
    most.queued = Math.max(most.queued, ...pools.map(({ queued }) => queued));
    most.rssBytes = Math.max(most.rssBytes, rssBytes);
  };
  for (const subject of [subjects.hostBeats, subjects.routerBeats, subjects.batcherBeats, subjects.allocatorBeats]) {
    const listening = bus.subscribe(subject.at(prefix), ({ subject: at, data }) => {
      watch(decode(data) as object);
      const nowMs = realClock.nowMs();
      longestGapMs = Math.max(longestGapMs, nowMs - (lastBeats.get(at) ?? nowMs));
      lastBeats.set(at, nowMs);
    });
    t.teardown(() => listening.unsubscribe());
  }
  const startedMs = realClock.nowMs();
  await until('the routers turn frames away', () => cluster.ledger.all('flood-1').some(one => one.outcome !== 'ok'));
  const host = (await pool()).hosts[0]!;
  const epoch = seen.view().plan!.epoch;
  const askedMs = realClock.nowMs();
  const told = await cli(cleanup, ['drain', host, '--force', '--wait', '--nats', cluster.url]);
  t.is(told.code, 0, told.err);
  const drainedMs = realClock.nowMs() - askedMs;
  await until('both routers follow the new plan', () => seen.view().routers.every(({ beat }) => beat.epoch > epoch), {
    state: cluster.story,
  });
  await until('the flood has lasted', () => realClock.nowMs() - startedMs > FLOOD_MS);
  stop();
  t.log(
    `${sent()} frames of ${large.byteLength} bytes; longest gap between beats ${longestGapMs.toFixed(0)} ms; drained in ${drainedMs.toFixed(0)} ms`,
  );
  t.true(lastBeats.size >= 5);
  t.log(most);
  t.true(most.heldBytes <= HELD_BYTES_MAX && most.queued <= QUEUE_MAX, JSON.stringify(most));
  t.true(most.rssBytes < RSS_BYTES_MAX, `${most.rssBytes} of memory`);
  t.true(longestGapMs < LATE_MS, `${longestGapMs} ms without a beat`);
  t.true(drainedMs < 4 * LATE_MS, `${drainedMs} ms`);
  await cluster.serves('watch', picture);
  t.deepEqual(cluster.ledger.twice('flood-1'), []);
});

const FRAMES_A_FLUSH = 16;

/** As many frames as the server takes from here. */
function flood(stream: string, data: Uint8Array): { stop: () => void; sent: () => number } {
  const subject = subjects.frames.at(cluster.prefix, { tenant: 'default', stream });
  let sent = 0;
  let flushing = false;
  const stop = every(realClock, 5, () => {
    if (flushing) return;
    flushing = true;
    for (let i = 0; i < FRAMES_A_FLUSH; i++)
      cluster.bus.publish(subject, encode({ v: 1, seq: ++sent, picture: { encoding: 'jpeg', data } }));
    void cluster.bus.flush().finally(() => (flushing = false));
  });
  return { stop, sent: () => sent };
}
