import test, { type ExecutionContext } from 'ava';
import { steadyCluster } from './steady.ts';

/** One model on one of two hosts, 100 frames a second. */
async function cluster(t: ExecutionContext, seed: number) {
  const { world, send, sent } = await steadyCluster(t, { seed, objectiveMs: 2_000 });
  await send(2_000);
  const busy = world.plan!.hosts.find(({ models }) => models.length > 0)!.host;
  const saidAt = (what: RegExp): number => {
    const line = world.logged.find(said => what.test(said));
    return line === undefined ? NaN : Number(line.split(' ')[0]);
  };
  const ended = async (): Promise<void> => {
    await world.clock.runUntilTrue(() => world.results.length === sent(), 10_000);
    t.is(world.count('ok'), sent(), 'all are answered in time');
    t.deepEqual(
      new Set(world.results.slice(-50).flatMap(({ stages }) => stages['detect']!.map(r => r.host))),
      new Set([busy === 'gpu-1' ? 'gpu-2' : 'gpu-1']),
    );
  };
  return { world, send, busy, saidAt, ended };
}

test('revocation: with enough time models move first, and the host has left long before its machine goes', async t => {
  const { world, send, busy, saidAt, ended } = await cluster(t, 41);
  const atMs = world.clock.nowMs();
  await world.ask('control.drain', { v: 1, host: busy, withinMs: 20_000 });
  await send(20_000);
  const leftMs = saidAt(new RegExp(`batcher-1: following a plan {"epoch":${world.plan!.epoch}`)) - atMs;
  t.true(leftMs < 5_000, `moved after ${leftMs} ms`);
  t.true(world.logged.some(line => line.includes('a host left') && line.includes(busy)));
  await ended();
});

test('revocation: with too little time the host leaves all the same, and what waits is served where the model is loaded next', async t => {
  const { world, send, busy, ended } = await cluster(t, 42);
  await world.ask('control.drain', { v: 1, host: busy, withinMs: 100 });
  await send(100);
  world.crash(busy);
  await send(5_000);
  await ended();
});

test('revocation: a host that was told leaves in time though the leader died', async t => {
  const { world, send, busy } = await cluster(t, 43);
  await world.allocator('allocator-2');
  await world.ask('control.drain', { v: 1, host: busy, withinMs: 1_000 });
  await send(10);
  world.crash('allocator-1');
  await send(990);
  t.true(
    world.logged.some(line => line.includes('a host left') && line.includes(busy)),
    'within its second',
  );
  await world.clock.runUntilTrue(
    () => (world.plan?.hosts ?? []).some(h => h.host !== busy && h.models.length > 0),
    30_000,
  );
  const from = world.results.length;
  await send(2_000);
  t.true(world.results.slice(from + 50).every(({ outcome }) => outcome === 'ok'));
});
