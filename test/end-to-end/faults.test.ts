import test from 'ava';
import { decode, encode } from '../../bus/index.ts';
import { subjects, type AllocatorBeat, type Plan } from '../../contracts/index.ts';
import { Cleanup } from './cleanup.ts';
import { EMULATED, jpeg, pidOf, startCluster, type TestCluster } from './cluster.ts';
import type { Flow } from './flow.ts';
import { until } from './until.ts';

const cleanup = new Cleanup();
let cluster: TestCluster;
let picture: Uint8Array;

const START_MS = 120_000;
const FRAMES_AFTER = 20;

test.before(async t => {
  t.timeout(START_MS);
  picture = await jpeg();
  cluster = await startCluster(cleanup, {
    actors: [
      { actor: 'stream-sampler', name: 'sampler' },
      { actor: 'query-router', name: 'router', count: 2 },
      { actor: 'prefix-batcher', name: 'batcher' },
      { actor: 'gpu-host', name: 'gpu', config: EMULATED },
      { actor: 'allocator', name: 'allocator', count: 2, config: { gatherMs: 500, leaseMs: 2000 } },
    ],
  });
  await cluster.serves('watch', picture);
});
test.after.always('nothing is left over', async t => {
  t.timeout(START_MS);
  await cleanup.run();
});

/** Kills a process as a crash would, waits until the supervisor has replaced it and frames published since then are answered. */
async function killAndRecover(name: string, flow: Flow): Promise<{ firstAfter: number }> {
  const before = pidOf(cluster, name);
  cluster.launched.kill(name, 'SIGKILL');
  await until(
    `${name} runs again`,
    () => cluster.launched.actors().some(one => one.name === name && one.state === 'running' && one.pid !== before),
    { state: () => cluster.story() },
  );
  const restartedAt = flow.latest;
  const { seq: answered } = await until(
    `frames are answered again after ${name} was killed`,
    () => cluster.ledger.all(flow.stream).find(({ outcome, seq = 0 }) => outcome === 'ok' && seq > restartedAt),
    { limitMs: 90_000, state: () => `${JSON.stringify(cluster.ledger.outcomes(flow.stream))}\n${cluster.story()}` },
  );
  await until('frames flow on', () => flow.after(answered!).length >= FRAMES_AFTER);
  flow.stop();
  return { firstAfter: answered! };
}

/** Frames published after the recovery are answered, all of them. */
function answeredSince(flow: Flow, seq: number): string[] {
  return flow.after(seq).flatMap(one => {
    const outcomes = cluster.ledger.of(flow.stream, one).map(({ outcome }) => outcome);
    return outcomes.length === 1 && (outcomes[0] === 'ok' || outcomes[0] === 'late')
      ? []
      : [`${one}: ${outcomes.join()}`];
  });
}

test.serial(
  'faults: the batcher is killed while frames flow: routers offer again, each frame is answered once',
  async t => {
    t.timeout(START_MS);
    const flow = cluster.flow('watch-batcher', picture);
    await cluster.ledger.settled(flow.stream, [1, 2, 3]);
    await killAndRecover('batcher', flow);
    await cluster.ledger.settled(flow.stream, flow.published);
    t.deepEqual(cluster.ledger.twice(flow.stream), []);
    t.deepEqual(answeredSince(flow, 0), [], 'also those that were on their way');
  },
);

test.serial('faults: the only host is killed while frames flow: each frame has exactly one result', async t => {
  t.timeout(START_MS);
  const flow = cluster.flow('watch-gpu', picture);
  await cluster.ledger.settled(flow.stream, [1, 2, 3]);
  const { firstAfter } = await killAndRecover('gpu', flow);
  await cluster.ledger.settled(flow.stream, flow.published);
  t.deepEqual(cluster.ledger.twice(flow.stream), []);
  t.deepEqual(answeredSince(flow, firstAfter), []);
  t.log(cluster.ledger.outcomes(flow.stream));
});

test.serial(
  'faults: the leading allocator is killed while frames flow: they are answered, the standby leads',
  async t => {
    t.timeout(START_MS);
    let leader = '';
    const listening = cluster.bus.subscribe(subjects.allocatorBeats.at(cluster.prefix), ({ subject, data }) => {
      const { allocator } = subjects.allocatorBeats.paramsOf(cluster.prefix, subject);
      if ((decode(data) as AllocatorBeat).role === 'leader') leader = allocator;
    });
    t.teardown(() => listening.unsubscribe());
    const killed = await until('an allocator leads', () => leader || undefined);
    const flow = cluster.flow('watch-allocator', picture);
    await cluster.ledger.settled(flow.stream, [1, 2, 3]);
    leader = '';
    await killAndRecover(killed, flow);
    await until('an allocator leads again', () => leader || undefined, { state: () => cluster.story() });
    await cluster.ledger.settled(flow.stream, flow.published);
    t.deepEqual(cluster.ledger.twice(flow.stream), []);
    t.deepEqual(answeredSince(flow, 0), [], 'the plan in force goes on serving');
  },
);

test.serial(
  'faults: the sampler is killed: its stream flows again and each of its frames has exactly one result',
  async t => {
    t.timeout(START_MS);
    const stream = 'watch-sampled';
    const { applyFiles } = await import('../../deploy/apply/index.ts');
    const { writeDocuments } = await import('./models.ts');
    const file = await writeDocuments(cluster.folder, 'stream.yaml', [
      { kind: 'Stream', name: stream, source: { kind: 'synthetic', width: 160, height: 96 }, rateHz: 5 },
    ]);
    await applyFiles(cluster.bus, [file], { prefix: cluster.prefix });
    const heard = (): readonly number[] => cluster.ledger.frames(stream);
    await until('the stream flows', () => heard().length >= 3, { state: () => cluster.story() });
    const before = pidOf(cluster, 'sampler');
    cluster.launched.kill('sampler');
    await until('the sampler runs again', () =>
      cluster.launched.actors().some(one => one.name === 'sampler' && one.state === 'running' && one.pid !== before),
    );
    const already = heard().length;
    await until('the stream flows again', () => heard().length >= already + 5, { state: () => cluster.story() });
    await cluster.launched.stop('sampler');
    await cluster.ledger.settled(stream, heard());
    t.deepEqual(cluster.ledger.twice(stream), []);
    t.is(new Set(heard()).size, heard().length, 'no number is used twice');
  },
);

test.serial('faults: a router vanishes with a payload that it owes a host: nobody else waits for it long', async t => {
  t.timeout(START_MS);
  const { bus, prefix } = cluster;
  const { data } = await bus.request(subjects.currentPlan.at(prefix), encode({ v: 1 }), { timeoutMs: 5_000 });
  const { plan } = decode(Uint8Array.from(data)) as { plan: Plan };
  const { session, pool } = plan.queries[0]!.stages[0]!;
  const columns = { ids: [1], session: [0], budgetMs: [30_000], bytes: [700] };
  const offer = { v: 1, router: 'vanished', epoch: plan.epoch, sessions: [session], ...columns };
  const granted = new Promise<void>(resolve => {
    const listening = bus.subscribe(subjects.verdicts.at(prefix, { router: 'vanished' }), () => resolve());
    t.teardown(() => listening.unsubscribe());
  });
  bus.publish(subjects.offers.at(prefix, { pool }), encode(offer));
  await granted;
  const { outcome, latencyMs } = await cluster.ask('watch', { payload: { encoding: 'jpeg', data: picture } });
  t.is(outcome, 'ok');
  t.true(latencyMs < 10_000, `${latencyMs} ms, while the one that vanished was granted 30 s`);
});

test.serial(
  'faults: one of two routers is killed while frames flow: the other one answers all that it accepted',
  async t => {
    t.timeout(START_MS);
    const flow = cluster.flow('watch-router', picture);
    await cluster.ledger.settled(flow.stream, [1, 2, 3]);
    const { firstAfter } = await killAndRecover('router-1', flow);
    await cluster.ledger.settled(flow.stream, flow.after(firstAfter));
    t.deepEqual(answeredSince(flow, firstAfter), []);
    t.deepEqual(cluster.ledger.twice(flow.stream), []);
    const { accepted, told } = await cluster.ledger.account('router-2');
    t.is(accepted, told, 'as many outcomes as requests it accepted');
    const lost = flow.published.filter(seq => cluster.ledger.of(flow.stream, seq).length === 0);
    t.log(`${flow.published.length} frames, ${lost.length} were lost with the router`);
  },
);
