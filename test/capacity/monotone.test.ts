import test from 'ava';
import fc from 'fast-check';
import { policies, pooled, type CapacityPlan, type Workload } from '../../allocator/index.ts';
import { anyWorkload, device } from './world.ts';

const factor = fc.double({ min: 1, max: 2.5, noNaN: true });
const faster = (workload: Workload, at: number, by: number): Workload => ({
  ...workload,
  sessions: workload.sessions.map((s, i) => (i === at ? { ...s, rateHz: s.rateHz * by } : s)),
});
/** Nobody is refused or lacks a zone or a firm device (a note would say so): both plans do the same. */
const servesAll = (...plans: readonly CapacityPlan[]): boolean =>
  plans.every(plan => plan.refused.length + plan.notes.length === 0);

test('capacity: a higher rate of one session never costs less where its wishes are met, whatever the devices (property)', t => {
  fc.assert(
    fc.property(anyWorkload({ sessions: { max: 1 } }), factor, (given, by) => {
      for (const policy of policies.values()) {
        const [less, more] = [policy(given), policy(faster(given, 0, by))];
        if (!servesAll(less, more)) continue;
        if (more.costPerHour < less.costPerHour - 1e-9) {
          throw new Error(`${less.costPerHour} before, ${more.costPerHour} at ${by} times the rate`);
        }
      }
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('capacity: one device never suffices for more and not for less (property, one kind)', t => {
  fc.assert(
    fc.property(anyWorkload({ devices: [device()], sessions: { max: 6 } }), fc.nat(5), factor, (given, at, by) => {
      const [less, more] = [pooled(given), pooled(faster(given, at, by))];
      if (servesAll(less, more) && more.gpus <= 1 && less.gpus > more.gpus) throw new Error(`${less.gpus} before`);
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('capacity: a higher rate of one of several sessions costs less in very few workloads (counted)', t => {
  let pairs = 0;
  let worse = 0;
  const kinds = anyWorkload({ sessions: { max: 6, rateMaxHz: 2000 } });
  for (const [given, at, by] of fc.sample(fc.tuple(kinds, fc.nat(5), factor), { numRuns: 800, seed: 1 })) {
    const [less, more] = [pooled(given), pooled(faster(given, at, by))];
    if (!servesAll(less, more)) continue;
    pairs++;
    if (more.costPerHour < less.costPerHour - 1e-9) worse++;
  }
  t.log(`${worse} of ${pairs}`);
  // Bin packing has such anomalies, whichever way it is done short of the optimum.
  t.true(pairs > 200 && worse <= 0.01 * pairs, `${worse} of ${pairs}`);
});
