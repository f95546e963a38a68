import test, { type ExecutionContext } from 'ava';
import type { Batcher } from '../../actors/prefix-batcher/batcher.ts';
import type { Router } from '../../actors/query-router/router.ts';
import { emulatedModel, World } from './world.ts';

const OBJECTIVE_MS = 200;
/** Of one host with 3 ms an input and 6 ms a batch, in batches of 32: 32 / 102 ms. */
const CAPACITY_HZ = 314;
const FRAME_BYTES = 100;

interface Most {
  inFlight: number;
  heldBytes: number;
  queued: number;
}

/** Frames at three times the capacity for two seconds; what router and batcher held at most, looked at whenever a frame had come. */
async function flooded(
  t: ExecutionContext,
  config: { router?: object; batcher?: object },
): Promise<Most & { world: World }> {
  const world = new World(5);
  t.teardown(() => world.stopAll());
  await world.apply(emulatedModel('detector', { alphaMs: 3, betaMs: 6 }), {
    kind: 'Query',
    name: 'traffic',
    streams: ['cam-*'],
    objectiveMs: OBJECTIVE_MS,
    rateHz: CAPACITY_HZ / 2,
    stages: { detect: { model: 'detector' } },
  });
  await world.allocator('allocator-1');
  const { batcher } = (await world.batcher('batcher-1', config.batcher)).state as { batcher: Batcher };
  await world.host('gpu-1');
  const router = (await world.router('router-1', config.router)).state as Router;
  await world.clock.runUntilTrue(() => world.plan?.queries.length === 1, 60_000);
  const most: Most = { inFlight: 0, heldBytes: 0, queued: 0 };
  const frames = 3 * CAPACITY_HZ * 2;
  for (let seq = 1; seq <= frames; seq++) {
    world.frame('cam-1', seq);
    await world.clock.runFor(1000 / (3 * CAPACITY_HZ));
    most.inFlight = Math.max(most.inFlight, router.inFlight);
    most.heldBytes = Math.max(most.heldBytes, router.heldBytes);
    most.queued = Math.max(
      most.queued,
      [...batcher.pools].reduce((sum, { queued }) => sum + queued, 0),
    );
  }
  await world.clock.runFor(2 * OBJECTIVE_MS);
  t.deepEqual(world.open, [], 'every frame has ended');
  t.is(router.inFlight + router.heldBytes, 0, 'and is not held any more');
  t.log(`${frames} frames; at most ${most.inFlight} in flight, ${most.heldBytes} bytes, ${most.queued} queued`);
  return { ...most, world };
}

test('overload: at three times the capacity router and batcher hold what comes within an objective, and no more', async t => {
  const { inFlight, heldBytes, queued } = await flooded(t, {});
  const withinObjective = (3 * CAPACITY_HZ * OBJECTIVE_MS) / 1000;
  t.true(inFlight <= withinObjective + 1 && inFlight > 0.9 * withinObjective, `${inFlight} of ${withinObjective}`);
  t.true(queued <= inFlight);
  t.is(heldBytes, inFlight * FRAME_BYTES);
});

test('overload: bounds of requests are reached and kept', async t => {
  const { inFlight, world } = await flooded(t, { router: { inFlightMax: 20 } });
  t.is(inFlight, 20);
  t.true(world.results.some(({ trouble }) => trouble?.reason === 'overloaded'));
});

test('overload: bounds of bytes are reached and kept', async t => {
  const { heldBytes } = await flooded(t, { router: { heldBytesMax: 25 * FRAME_BYTES + 99 } });
  t.is(heldBytes, 25 * FRAME_BYTES);
});

test("overload: the bound of a batcher's queue is reached and kept", async t => {
  const { queued, inFlight, world } = await flooded(t, { batcher: { queueMax: 10 } });
  t.is(queued, 10);
  t.true(inFlight > 10);
  t.true(world.results.some(({ trouble }) => trouble?.reason === 'no-capacity'));
});
