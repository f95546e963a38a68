import type { ExecutionContext } from 'ava';
import { emulatedModel, World } from './world.ts';

/** One model that one of two hosts holds, and frames at 100 Hz. A test that fails tells its seed and what was logged. */
export async function steadyCluster(
  t: ExecutionContext,
  options: { seed: number; objectiveMs: number; batchers?: readonly string[] },
) {
  const { seed, objectiveMs, batchers = ['batcher-1'] } = options;
  const world = new World(seed);
  t.teardown(() => world.stopAll());
  t.teardown(() => void (t.passed || t.log(`seed ${seed}`, world.logged.slice(-60).join('\n'))));
  await world.apply(emulatedModel('detector', { alphaMs: 3, betaMs: 6 }), {
    kind: 'Query',
    name: 'traffic',
    streams: ['cam-*'],
    objectiveMs,
    rateHz: 100,
    stages: { detect: { model: 'detector' } },
  });
  await world.allocator('allocator-1');
  for (const id of batchers) await world.batcher(id);
  for (const id of ['gpu-1', 'gpu-2']) await world.host(id);
  await world.router('router-1');
  await world.clock.runUntilTrue(() => world.plan?.queries.length === 1, 60_000);
  let seq = 0;
  const send = async (ms: number): Promise<void> => {
    for (let i = 0; i < ms / 10; i++) {
      world.frame('cam-1', ++seq);
      await world.clock.runFor(10);
    }
  };
  return { world, send, sent: () => seq };
}
