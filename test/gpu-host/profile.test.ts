import test from 'ava';
import { realClock, VirtualClock } from '../../bus/clocks/index.ts';
import { ModelError, Profile, seededRandom, validator, type ModelDocument } from '../../contracts/index.ts';
import { measureProfile, openEmulatedDevice, type LoadedModel } from '../../gpu-host/index.ts';
import { batchSizes, statistics } from '../../gpu-host/profiler.ts';
import { loadExample, manifest, openCpu } from './model-setup.ts';

test('profile: batches grow by halves of powers of two up to the largest', t => {
  t.deepEqual(batchSizes(1), [1]);
  t.deepEqual(batchSizes(4), [1, 2, 3, 4]);
  t.deepEqual(batchSizes(10), [1, 2, 3, 4, 6, 8, 10]);
});

test('profile: mean, deviation and 99th percentile of known values', t => {
  t.deepEqual(statistics([5]), { mean: 5, std: 0, p99: 5 });
  const { mean, std, p99 } = statistics(Array.from({ length: 100 }, (_, i) => i + 1));
  t.is(mean, 50.5);
  t.true(Math.abs(std - 29.011) < 0.001);
  t.is(p99, 99);
});

test('profile: an emulated device gives its curve back and says that it was not measured', async t => {
  const clock = new VirtualClock();
  const document: ModelDocument = {
    ...manifest('ppocr-det'),
    emulation: { alphaMs: 2, betaMs: 5, persistentMB: 10, ephemeralMBPerItem: 3 },
  };
  const device = openEmulatedDevice({ kind: 'emulated', name: 'gpu-x' }, { clock, random: seededRandom(1) });
  const files = { id: 'det@000000000000', document, read: () => Promise.reject(new Error('not needed')) };
  const model = await device.load(files, { batchMax: 8 });
  const steps: number[] = [];
  const measuring = measureProfile(device, model, {
    batchMax: 8,
    clock,
    loadMs: 12,
    onProgress: ({ batch, steps: all }) => steps.push(batch, all),
  });
  await clock.runUntilIdle();
  const profile = validator(Profile).check(await measuring, 'profile');
  t.like(profile, { device: 'gpu-x', emulated: true, persistentBytes: 10e6, loadMs: 12, model: 'det@000000000000' });
  t.deepEqual(
    profile.points.map(({ batch, meanMs, stdMs, ephemeralBytes }) => [batch, meanMs, stdMs, ephemeralBytes]),
    [1, 2, 3, 4, 6, 8].map(batch => [batch, 2 * batch + 5, 0, 3e6 * batch]),
  );
  t.deepEqual(steps.slice(-2), [8, 6]);
});

test('profile: a real model on the CPU has plausible costs, larger batches take longer', async t => {
  const device = await openCpu();
  t.teardown(() => device.close());
  const model = await loadExample(device, 'ppocr-rec');
  const profile = await measureProfile(device, model, { batchMax: 4, clock: realClock, seconds: 1 });
  t.true(validator(Profile).accepts(profile));
  t.false(profile.emulated);
  const [one, , , four] = profile.points;
  t.true(four!.meanMs > one!.meanMs && one!.meanMs > 0 && four!.ephemeralBytes > one!.ephemeralBytes);
  t.true(profile.preMs > 0);
});

test('profile: what was measured while something else kept the device busy is measured once more', async t => {
  const clock = new VirtualClock();
  const device = openEmulatedDevice({ kind: 'emulated' }, { clock, random: seededRandom(1) });
  let runs = 0;
  const disturbed = {
    id: 'disturbed@000000000000',
    persistentBytes: 0,
    ephemeralBytes: () => 0,
    blank: async () => ({ bytes: 0 }),
    // Ten times as slow for the two smallest sizes: two runs to warm up and six for each.
    run: async (inputs: readonly unknown[]) => ({
      runMs: (++runs <= 16 ? 10 : 1) * (8 + 4 * inputs.length),
      outputs: [],
    }),
  } as unknown as LoadedModel;
  const { points } = await measureProfile(device, disturbed, { batchMax: 8, clock });
  t.deepEqual(
    points.map(({ batch, meanMs, stdMs }) => [batch, meanMs, stdMs]),
    [1, 2, 3, 4, 6, 8].map(batch => [batch, 8 + 4 * batch, 0]),
  );
});

test('profile: a model that gives no answer to a blank input can not be measured', async t => {
  const clock = new VirtualClock();
  const device = openEmulatedDevice({ kind: 'emulated' }, { clock, random: seededRandom(1) });
  const broken = {
    id: 'broken@000000000000',
    persistentBytes: 0,
    ephemeralBytes: () => 0,
    blank: async () => ({ bytes: 0 }),
    run: async () => ({ runMs: 1, outputs: [new Error('no such tensor')] }),
  } as unknown as LoadedModel;
  await t.throwsAsync(measureProfile(device, broken, { batchMax: 1, clock }), {
    instanceOf: ModelError,
    message: /no such tensor/,
  });
});
