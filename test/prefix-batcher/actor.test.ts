import test from 'ava';
import { dispatchPolicy, hybrid, prefixBatcher } from '../../actors/prefix-batcher/index.ts';
import { startActor } from '../../actors/actor/index.ts';
import { ConfigError, DEFAULT_PREFIX, seededRandom, subjects } from '../../contracts/index.ts';
import { encode } from '../../bus/index.ts';
import { Cluster, MODEL, planOf, profileOf, SESSION } from './cluster.ts';

test('batcher: a grant to the router and an outline to the host agree', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  cluster.beat('gpu-a');
  await cluster.run(1);
  const ids = cluster.offer(1, { budgetMs: 150 });
  await cluster.run(1);
  const [verdict, outline] = [cluster.verdicts[0]!, cluster.outlines[0]!];
  const [grant] = verdict.grants;
  t.deepEqual(grant!.ids, ids);
  t.is(grant!.host, 'gpu-a');
  t.is(outline.to, 'gpu-a');
  t.is(outline.batch, grant!.batch);
  t.deepEqual(outline.ids, ids);
  t.deepEqual(outline.routers, ['router-1']);
  t.deepEqual(outline.models, [MODEL]);
  t.is(outline.epoch, 1);
  t.deepEqual(outline.budgetMs, [150]);
  t.is(outline.expectedMs, 10);
  t.true(outline.startInMs > 0, 'the payload needs its time');
  t.is(outline.latestInMs, 150 - 1 - 10 - 1, 'less the way back, the run and its margin');
  t.true(grant!.answerInMs > 10 && grant!.answerInMs < 20);
});

test('batcher: one message to each router and each host a turn; a batch mixes routers', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  cluster.beat('gpu-a');
  await cluster.run(1);
  cluster.offer(1);
  await cluster.run(1);
  cluster.progress(cluster.outlines[0]!, 'started');
  await cluster.run(1);
  const first = cluster.offer(4);
  const second = cluster.offer(3, { router: 'router-2', ids: [1, 2, 3] });
  await cluster.run(15);
  t.is(cluster.verdicts.filter(({ to }) => to === 'router-1').length, 2);
  t.is(cluster.verdicts.filter(({ to }) => to === 'router-2').length, 1);
  t.is(cluster.outlines.length, 2);
  const outline = cluster.outlines[1]!;
  const idsOf = (router: string) => outline.ids.filter((_, i) => outline.routers[outline.router[i]!] === router);
  t.deepEqual(idsOf('router-1'), first);
  t.deepEqual(idsOf('router-2'), second);
  t.deepEqual(cluster.granted('router-2'), second);
});

test('batcher: the next grant comes before the device is free, and never two ahead', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  cluster.beat('gpu-a');
  await cluster.run(1);
  cluster.offer(1);
  await cluster.run(1);
  cluster.offer(8);
  await cluster.run(1);
  t.is(cluster.outlines.length, 1, 'the first has not started');
  cluster.progress(cluster.outlines[0]!, 'started');
  await cluster.run(5);
  t.is(cluster.outlines.length, 1, 'half of the run is left');
  await cluster.run(5);
  t.is(cluster.outlines.length, 2, 'before the run ended');
  t.true(cluster.outlines[1]!.startInMs > 0);
  cluster.offer(8);
  await cluster.run(30);
  t.is(cluster.outlines.length, 2);
});

test('batcher: a repeated offer is granted once; a withdrawn one never', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  const ids = cluster.offer(3);
  cluster.offer(3, { ids });
  await cluster.run(1);
  cluster.withdraw([ids[1]!, 999]);
  await cluster.run(1);
  cluster.beat('gpu-a');
  await cluster.run(1);
  t.deepEqual(cluster.granted(), [ids[0], ids[2]]);
});

test('batcher: a commit moves what waits in one step, or hands it back', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1, two(['batcher-1', 'batcher-1'])));
  const stays = cluster.offer(2);
  const moves = cluster.offer(2, { pool: 'pool-1', session: 'other' });
  await cluster.run(1);
  cluster.publish(planOf(2, two(['batcher-1', 'batcher-2'])));
  await cluster.run(1);
  t.deepEqual(cluster.refused('not-in-charge'), moves);
  t.is(cluster.beats.at(-1)!.epoch, 2, 'said at once');
  t.deepEqual(
    cluster.beats.at(-1)!.pools.map(({ pool, queued }) => [pool, queued]),
    [['pool-0', 2]],
  );
  cluster.beat('gpu-a');
  await cluster.run(1);
  t.deepEqual(cluster.granted(), stays);
  t.is(cluster.outlines[0]!.epoch, 2);
  cluster.offer(1, { pool: 'pool-1', session: 'other' });
  await cluster.run(1);
  t.is(cluster.refused('not-in-charge').length, 2, "the pool is another batcher's now: it is not even heard");
  cluster.offer(1, { session: 'other' });
  await cluster.run(1);
  t.is(cluster.refused('not-in-charge').length, 3);
});

test('batcher: what was granted before a commit finishes, and its host is not granted two', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  cluster.beat('gpu-a');
  await cluster.run(1);
  cluster.offer(1);
  await cluster.run(1);
  cluster.publish(planOf(2));
  cluster.offer(2);
  await cluster.run(1);
  t.is(cluster.outlines.length, 1);
  cluster.progress(cluster.outlines[0]!, 'started');
  cluster.progress(cluster.outlines[0]!, 'finished');
  await cluster.run(1);
  t.deepEqual(
    cluster.outlines.map(({ epoch }) => epoch),
    [1, 2],
  );
});

test('batcher: offers to a pool that is gone are sent back at once', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1, two(['batcher-1', 'batcher-1'])));
  cluster.publish(planOf(2));
  await cluster.run(1);
  const ids = cluster.offer(1, { pool: 'pool-1', session: 'other' });
  await cluster.run(1);
  t.deepEqual(cluster.refused('unknown-session'), ids);
});

test("batcher: an older plan, or another leader's of the same epoch, is ignored", async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(5));
  cluster.publish(planOf(4, { pools: [] }));
  cluster.publish(planOf(5, { nonce: 'other', pools: [] }));
  await cluster.run(1001);
  t.is(cluster.beats.at(-1)!.epoch, 5);
  t.is(cluster.beats.at(-1)!.nonce, 'n');
  t.is(cluster.beats.at(-1)!.pools.length, 1);
});

test('batcher: without storage the leader is asked for the plan', async t => {
  const cluster = new Cluster(t);
  cluster.network.storageAvailable = false;
  cluster.peer.subscribe(subjects.currentPlan.at(DEFAULT_PREFIX), message =>
    message.respond(encode({ v: 1, plan: planOf(3) })),
  );
  await cluster.start();
  await cluster.run(10);
  t.is(cluster.beats.at(-1)!.epoch, 3);
});

test('batcher: a stored plan that is broken is told about, the next one is followed', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, { ...planOf(3), hosts: 'none' } as never);
  t.true(cluster.logged.some(line => line.includes('stored plan')));
  cluster.publish(planOf(4));
  await cluster.run(1);
  t.is(cluster.beats.at(-1)!.epoch, 4);
});

test('batcher: after a lost connection the plan is read again', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  cluster.network.disconnect('batcher-1');
  await cluster.store(planOf(2));
  cluster.network.reconnect('batcher-1');
  await cluster.run(10);
  t.is(cluster.beats.at(-1)!.epoch, 2);
});

test('batcher: an unknown session is refused, a known one beside it is served', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  cluster.beat('gpu-a');
  const unknown = cluster.offer(2, { session: 'nobody' });
  const known = cluster.offer(1);
  await cluster.run(1);
  t.deepEqual(cluster.refused('unknown-session'), unknown);
  t.deepEqual(cluster.granted(), known);
});

test('batcher: a host that refuses a batch gets no more until its next beat', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  cluster.beat('gpu-a');
  await cluster.run(1);
  cluster.offer(1);
  await cluster.run(1);
  cluster.progress(cluster.outlines[0]!, 'refused');
  cluster.offer(1);
  await cluster.run(5);
  t.is(cluster.outlines.length, 1);
  cluster.beat('gpu-a');
  await cluster.run(1);
  t.is(cluster.outlines.length, 2);
  await cluster.run(1000);
  t.is(cluster.beats.at(-1)!.pools[0]!.refused, 1);
});

test('batcher: a silent host gets nothing, another one takes over', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  cluster.beat('gpu-a');
  await cluster.run(2000);
  cluster.beat('gpu-b');
  await cluster.run(1500);
  cluster.offer(2);
  await cluster.run(1);
  t.deepEqual(
    cluster.outlines.map(({ to }) => to),
    ['gpu-b'],
  );
});

test('batcher: a host that is leaving, or lacks the model, or is not in the pool gets nothing', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  cluster.beat('gpu-a', { state: 'leaving' });
  cluster.beat('gpu-b', {}, ['another@000000000002']);
  cluster.beat('gpu-c');
  cluster.offer(3);
  await cluster.run(20);
  t.is(cluster.outlines.length, 0);
});

test('batcher: without a usable host invocations wait for one, then are dropped before their deadline', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  const ids = cluster.offer(2, { budgetMs: 100 });
  await cluster.run(80);
  t.is(cluster.verdicts.length, 0);
  await cluster.run(19);
  t.deepEqual(cluster.dropped('budget'), ids);
});

test('batcher: without a usable host a larger budget helps, whatever else waits', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  const ids = cluster.offer(2, { budgetMs: 100 });
  cluster.offer(1, { budgetMs: 1000 });
  await cluster.run(100);
  t.deepEqual(cluster.dropped('budget'), ids);
});

test('batcher: what can not be in time is dropped at once', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  cluster.beat('gpu-a');
  const ids = cluster.offer(2, { budgetMs: 8 });
  await cluster.run(1);
  t.deepEqual(cluster.dropped('budget'), ids);
  await cluster.run(1000);
  t.is(cluster.beats.at(-1)!.pools[0]!.dropped, 2);
});

test('batcher: beyond its bound the queue takes no more', async t => {
  const cluster = new Cluster(t);
  await cluster.start({ queueMax: 5 }, planOf(1));
  const ids = cluster.offer(8);
  await cluster.run(1);
  t.deepEqual(cluster.dropped('no-capacity'), ids.slice(5));
  cluster.withdraw(ids.slice(0, 2));
  const more = cluster.offer(3);
  await cluster.run(1);
  t.deepEqual(cluster.dropped('no-capacity').slice(3), more.slice(2));
});

test('batcher: columns of different length are refused and counted, and nothing of them is queued', async t => {
  const cluster = new Cluster(t);
  const actor = await cluster.start({}, planOf(1));
  const columns = { session: [0], budgetMs: [100], bytes: [1] };
  cluster.raw('offers.pool-0', { v: 1, router: 'r', epoch: 1, sessions: [SESSION], ids: [1, 2], ...columns });
  cluster.raw('offers.pool-0', { v: 1, nonsense: true });
  await cluster.run(1001);
  t.is(cluster.beats.at(-1)!.pools[0]!.queued, 0);
  t.is(actor.stats().find(({ name }) => name === 'offers')!.malformed, 1);
  t.true(cluster.logged.some(line => line.includes('not served') || line.includes('refused')));
});

test('batcher: a model without a profile is told about and not scheduled', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1, { profiles: [profileOf('another@000000000002')] }));
  t.true(cluster.logged.some(line => line.includes('no profile')));
  cluster.beat('gpu-a');
  const ids = cluster.offer(1, { budgetMs: 50 });
  await cluster.run(60);
  t.deepEqual(cluster.dropped('budget'), ids);
});

test('batcher: it beats each second and counts what it did', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, planOf(1));
  cluster.beat('gpu-a');
  await cluster.run(1);
  cluster.offer(3);
  await cluster.run(2000);
  t.true(cluster.beats.length >= 3);
  const [pool] = cluster.beats.at(-1)!.pools;
  t.is(cluster.beats.at(-1)!.policy, 'hybrid');
  t.is(pool!.granted, 1);
  t.is(pool!.batches, 1);
  t.is(pool!.queued + pool!.granted + pool!.dropped, 3);
});

test('batcher: when it stops it hands back what waits', async t => {
  const cluster = new Cluster(t);
  const actor = await cluster.start({}, planOf(1));
  const ids = cluster.offer(2);
  await cluster.run(1);
  await cluster.clock.settle(actor.stop());
  await cluster.run(1);
  t.deepEqual(cluster.refused('not-in-charge'), ids);
  t.true(cluster.beats.at(-1)!.leaving, 'and says that it leaves, so that another takes its pools over');
  t.deepEqual([...new Set(cluster.beats.slice(0, -1).map(({ leaving }) => leaving))], [undefined]);
});

test('batcher: an unknown policy is a clear error; one of your own can be given', async t => {
  const cluster = new Cluster(t);
  const around = { clock: cluster.clock, random: seededRandom(1), id: 'batcher-9', config: { policy: 'mine' } };
  const bus = cluster.network.connect('batcher-9');
  const error = await t.throwsAsync(startActor(prefixBatcher(), { ...around, bus }), { instanceOf: ConfigError });
  t.regex(error.message, /"mine" is no policy[\s\S]*hybrid, eager, deferred/);
  const own = prefixBatcher({ policies: { mine: dispatchPolicy('mine', hybrid) } });
  const actor = await cluster.clock.settle(startActor(own, { ...around, bus }));
  t.is(actor.name, 'prefix-batcher');
  actor.kill();
});

/** Two pools with a session each, `pool-0` on gpu-a and `pool-1` on gpu-b. */
function two([first, second]: readonly [string, string]) {
  const plan = planOf(1);
  return {
    pools: [
      { pool: 'pool-0', batcher: first, hosts: ['gpu-a'], sessions: [SESSION], groups: [] },
      { pool: 'pool-1', batcher: second, hosts: ['gpu-b'], sessions: ['other'], groups: [] },
    ],
    sessions: [...plan.sessions, { ...plan.sessions[0]!, name: 'other' }],
  };
}
