import test from 'ava';
import fc from 'fast-check';
import { batchOblivious, type CapacityPlan } from '../../allocator/index.ts';
import { affine, device, MB, session, workload } from './world.ts';

/** ℓ(40) = 50 of the first: 800 a second within 100 ms; ℓ(20) = 50 of the second: 400. */
const curves = [affine('fast', 1, 10), affine('slow', 2, 10)];
const sessions = (fastHz: number, slowHz: number) => [
  session('fast', { sloMs: 100, rateHz: fastHz }),
  session('slow', { sloMs: 100, rateHz: slowHz }),
];
const parts = (plan: CapacityPlan): string[] => plan.hosts.map(host => host.sessions.map(({ name }) => name).join('+'));
const rateOf = (plan: CapacityPlan, name: string): number =>
  plan.hosts
    .flatMap(host => host.sessions.filter(one => one.name === name))
    .reduce((sum, { rateHz }) => sum + rateHz, 0);

test("batch-oblivious: devices in proportion to rate over what one device does within the objective (SOSP'19, section 7.1)", t => {
  // 2.5 and 1.5 devices.
  const plan = batchOblivious(workload(sessions(2000, 600), curves));
  t.deepEqual(parts(plan).toSorted(), ['fast', 'fast', 'fast+slow', 'slow']);
  const shared = plan.hosts.find(host => host.sessions.length === 2)!;
  t.deepEqual(
    shared.sessions.map(({ name, batch, rateHz }) => [name, batch, Math.round(rateHz)]),
    [
      ['fast', 40, 400],
      ['slow', 20, 200],
    ],
    'each with the batch that it would have alone: 100 ms a cycle, though both were to end within 100 ms',
  );
  t.is(shared.dutyMs, 100);
});

test('batch-oblivious: all devices that there are are given out, whether the rates need more of them or fewer', t => {
  for (const [count, expected] of [
    [8, 5],
    [4, 2.5],
    [2, 1.25],
  ] as const) {
    const plan = batchOblivious(workload(sessions(2000, 600), curves, { devices: [device({ count })] }));
    t.is(plan.gpus, count);
    t.deepEqual(plan.refused, []);
    const devices = (2000 / 800 / rateOf(plan, 'fast')) * 2000;
    t.true(Math.abs(devices - 2.5) < 1e-6);
    t.is(plan.hosts.filter(host => host.sessions.some(({ name }) => name === 'fast')).length, Math.ceil(expected));
  }
});

test('batch-oblivious: every rate is planned, memory is kept, for whatever sessions and devices', t => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ alpha: fc.integer({ min: 1, max: 4 }), rateHz: fc.integer({ min: 1, max: 900 }) }), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.integer({ min: 8, max: 12 }),
      (models, count) => {
        const all = models.map(({ alpha }, i) => affine(`m${i}`, alpha, 5, { persistentBytes: 900 * MB }));
        const asked = models.map(({ rateHz }, i) => session(`m${i}`, { sloMs: 200, rateHz }));
        const memoryBytes = 3000 * MB;
        const plan = batchOblivious(workload(asked, all, { devices: [device({ count, memoryBytes })] }));
        t.deepEqual(plan.refused, []);
        t.true(plan.gpus <= count);
        for (const { name, rateHz } of asked) t.true(Math.abs(rateOf(plan, name) - rateHz) < 1e-6 * rateHz);
        for (const host of plan.hosts) {
          const held = host.sessions.map(one => all.find(({ model }) => model === one.model)!);
          const working = Math.max(...host.sessions.map(({ batch }, i) => held[i]!.ephemeralBytes(batch)));
          t.true(held.reduce((sum, { persistentBytes }) => sum + persistentBytes, working) <= memoryBytes);
        }
      },
    ),
    { numRuns: 100, seed: 7 },
  );
});
