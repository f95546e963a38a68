import test from 'ava';
import { smallCluster } from './world.ts';

test('simulation: five actors answer every frame in time, on virtual time with emulated devices', async t => {
  const world = await smallCluster(t, { seed: 1 });
  await world.clock.runFor(10_000);
  t.true(world.results.length > 250, `${world.results.length} results`);
  t.is(world.count('ok'), world.results.length);
  t.true(world.results.every(({ emulated }) => emulated));
  t.true(
    world.results.some(({ stages }) => (stages['read']?.length ?? 0) > 1),
    'the detector fans out',
  );
  t.true(world.open.length <= 3 * 2, `${world.open.length} frames on their way`);
});

test('simulation: the same seed is the same run, message for message; another seed is another', async t => {
  const run = async (seed: number): Promise<string> => {
    const world = await smallCluster(t, { seed });
    await world.clock.runFor(5_000);
    const hash = world.trace.digest('hex');
    await world.stopAll();
    return `${world.messages} ${hash}`;
  };
  const first = await run(7);
  t.is(await run(7), first);
  t.not(await run(8), first);
});

test('simulation: a host is drained and another added while frames flow, and nothing is dropped', async t => {
  const world = await smallCluster(t, { seed: 3 });
  await world.clock.runFor(5_000);
  const before = world.plan!;
  const busy = before.hosts.find(({ models }) => models.length > 0)!.host;
  await world.ask('control.drain', { v: 1, host: busy });
  await world.clock.runUntilTrue(() => world.plan!.epoch > before.epoch, 30_000);
  t.false(world.plan!.hosts.some(({ host, models }) => host === busy && models.length > 0));
  await world.clock.runFor(5_000);
  await world.host('gpu-9');
  await world.clock.runFor(20_000);
  t.is(world.count('ok'), world.results.length, 'no drop, nothing late');
  t.true(world.open.length <= 6, `${world.open.length} frames on their way`);
});

test('simulation: a host dies without a word; its requests are served by another or end as told', async t => {
  const world = await smallCluster(t, { seed: 4, hosts: 3 });
  await world.clock.runFor(5_000);
  const busy = world.plan!.hosts.find(({ models }) => models.length > 0)!.host;
  world.crash(busy);
  await world.clock.runFor(15_000);
  t.true(world.open.length <= 6, `every frame has its outcome; open: ${world.open.join(', ')}`);
  const since = world.results.slice(-60);
  t.is(since.filter(({ outcome }) => outcome === 'ok').length, 60, 'served again');
});

test('simulation: the leading allocator dies; the standby leads with a higher epoch when something changes', async t => {
  const world = await smallCluster(t, { seed: 5 });
  await world.clock.runFor(3_000);
  const { epoch, nonce } = world.plan!;
  world.crash('allocator-1');
  await world.clock.runFor(20_000);
  await world.ask('control.drain', { v: 1, host: world.plan!.hosts.find(({ models }) => models.length > 0)!.host });
  await world.clock.runUntilTrue(() => world.plan!.epoch > epoch, 30_000);
  t.not(world.plan!.nonce, nonce);
  await world.clock.runFor(5_000);
  t.is(world.count('ok'), world.results.length);
});
