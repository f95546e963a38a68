import test, { type ExecutionContext } from 'ava';
import { decode } from '../../bus/index.ts';
import type { Offers } from '../../contracts/index.ts';
import { steadyCluster } from './steady.ts';
import type { World } from './world.ts';

async function cluster(t: ExecutionContext, seed: number, batchers: readonly string[]) {
  const { world, send, sent } = await steadyCluster(t, { seed, objectiveMs: 10_000, batchers });
  let offered = 0;
  let messages = 0;
  world.admin.subscribe('ganglion.offers.*', ({ data }) => {
    messages++;
    offered += (decode(data) as Offers).ids.length;
  });
  return { world, send, sent, offers: () => ({ offered, messages }) };
}

const slowestMs = (world: World): number => Math.max(...world.results.map(({ latencyMs }) => latencyMs));

test('failover: the pool of a batcher that dies goes to another, no model moves, and all that waited is answered', async t => {
  const { world, send, sent, offers } = await cluster(t, 51, ['batcher-1', 'batcher-2']);
  await send(2_000);
  const before = world.plan!;
  const { offered } = offers();
  t.true(offered <= 1.1 * sent(), 'in good times an offer is made once');
  world.crash(before.pools[0]!.batcher);
  await send(8_000);
  await world.clock.runUntilTrue(() => world.results.length === sent(), 10_000);
  t.is(world.count('ok'), sent());
  t.deepEqual(world.plan!.hosts, before.hosts, 'the hosts keep what they hold');
  t.not(world.plan!.pools[0]!.batcher, before.pools[0]!.batcher);
  const waitedMs = slowestMs(world);
  t.true(waitedMs < 4_500, `${waitedMs} ms`);
  const storm = offers();
  t.true(storm.offered - offered < 4 * 800, `${storm.offered - offered} offers for 800 frames`);
  t.log(
    `longest wait ${waitedMs.toFixed(0)} ms; ${storm.offered - offered} offers in ${storm.messages} messages for 800 frames`,
  );
});

test('failover: the pool of a batcher that is stopped goes to another at once: nobody waits for a silence', async t => {
  const { world, send, sent } = await cluster(t, 52, ['batcher-1', 'batcher-2']);
  await send(2_000);
  await world.stop(world.plan!.pools[0]!.batcher);
  await send(2_000);
  await world.clock.runUntilTrue(() => world.results.length === sent(), 10_000);
  t.is(world.count('ok'), sent());
  const waitedMs = slowestMs(world);
  t.true(waitedMs < 500, `${waitedMs} ms`);
  t.log(`longest wait ${waitedMs.toFixed(0)} ms`);
});

test('failover: without another one offers wait for the batcher to be started again', async t => {
  const { world, send, sent } = await cluster(t, 53, ['batcher-1']);
  await send(2_000);
  world.crash('batcher-1');
  await send(1_000);
  await world.batcher('batcher-1');
  await send(2_000);
  await world.clock.runUntilTrue(() => world.results.length === sent(), 10_000);
  t.is(world.count('ok'), sent());
  const waitedMs = slowestMs(world);
  // It knows the hosts after their next beats, a second later at most.
  t.true(waitedMs < 2_200, `${waitedMs} ms: what waits is offered when the batcher is back, not when a repeat is due`);
  t.log(`longest wait ${waitedMs.toFixed(0)} ms, 1000 of it without a batcher`);
});
