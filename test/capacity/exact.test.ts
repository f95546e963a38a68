import test from 'ava';
import fc from 'fast-check';
import { nexus, NO_HEADROOM, pooled, pooledWith, type DeviceOffer, type Workload } from '../../allocator/index.ts';
import { curve, linear } from '../allocator/profiles.ts';
import { configurations, optimumApart, optimumOfGroups } from './optimum.ts';
import { device, MB, session, workload } from './world.ts';

const ONE_KIND = [device()];
const TWO_KINDS = [device(), device({ kind: 'fast', pricePerHour: 1.8 })];

/** Up to six sessions on devices without end, some of them more than a device large. */
const small = (devices: readonly DeviceOffer[]): fc.Arbitrary<Workload> =>
  fc
    .array(
      fc.record({
        alphaMs: fc.double({ min: 0.3, max: 4, noNaN: true }),
        betaMs: fc.double({ min: 0.5, max: 12, noNaN: true }),
        slack: fc.double({ min: 2.2, max: 8, noNaN: true }),
        load: fc.oneof(fc.double({ min: 0.02, max: 0.6, noNaN: true }), fc.double({ min: 0.6, max: 3, noNaN: true })),
        persistentBytes: fc.integer({ min: 100, max: 4000 }),
      }),
      { minLength: 2, maxLength: 6 },
    )
    .map(all => {
      const curves = all.flatMap((m, i) =>
        [1, 0.5].map((speed, kind) =>
          curve(`s${i}`, linear(m.alphaMs * speed, m.betaMs * speed, 12), {
            device: kind === 0 ? 'k' : 'fast',
            persistentBytes: m.persistentBytes * MB,
            ephemeralBytesPerItem: 10 * MB,
          }),
        ),
      );
      const sessions = all.map((m, i) =>
        session(`s${i}`, { sloMs: m.slack * (m.alphaMs + m.betaMs), rateHz: (m.load * 1000) / (m.alphaMs + m.betaMs) }),
      );
      return workload(sessions, curves, { devices });
    });

const mean = (all: readonly number[]): number => all.reduce((sum, one) => sum + one, 0) / all.length;
const shown = (all: readonly number[]): string =>
  `mean ${mean(all).toFixed(3)}, worst ${Math.max(...all).toFixed(3)}, at most 1 in ${all.filter(r => r < 1 + 1e-6).length} of ${all.length}`;

for (const [name, devices] of [
  ['one kind', ONE_KIND],
  ['two kinds of different price', TWO_KINDS],
] as const) {
  test(`capacity: bound ≤ proven optimum of independent devices ≤ nexus, and pooled ≤ nexus (${name}, HiGHS)`, t => {
    const ratios = { nexus: [] as number[], pooled: [] as number[], bound: [] as number[] };
    for (const given of fc.sample(small(devices), { numRuns: 60, seed: 3 })) {
      const all = configurations(given);
      const best = optimumApart(given, all);
      // The optimum and Nexus keep no headroom either.
      const [ours, theirs] = [pooledWith(NO_HEADROOM)(given), nexus(given)];
      const story = JSON.stringify(given.sessions);
      t.true(theirs.costPerHour >= best - 1e-6, `nexus ${theirs.costPerHour} below the optimum ${best}: ${story}`);
      const bound = theirs.bound.independentCostPerHour;
      t.true(bound <= best * (1 + 1e-5), `bound ${bound} above the optimum ${best}: ${story}`);
      t.true(ours.costPerHour <= theirs.costPerHour + 1e-9, `pooled ${ours.costPerHour}: ${story}`);
      ratios.nexus.push(theirs.costPerHour / best);
      ratios.pooled.push(ours.costPerHour / best);
      ratios.bound.push(bound / best);
    }
    t.log(`nexus / optimum: ${shown(ratios.nexus)}`);
    t.log(`pooled without headroom / optimum of independent devices: ${shown(ratios.pooled)}`);
    t.log(`bound / optimum: mean ${mean(ratios.bound).toFixed(3)}`);
    t.true(mean(ratios.nexus) < 1.1 && mean(ratios.pooled) < 1);
  });
}

test('capacity: pooled against the best way to part the sessions into groups (HiGHS)', t => {
  const ratios: number[] = [];
  for (const given of fc.sample(small(ONE_KIND), { numRuns: 30, seed: 4 })) {
    const { costPerHour } = pooled(given);
    const best = optimumOfGroups(given, pooled);
    t.true(best <= costPerHour + 1e-6);
    ratios.push(costPerHour / best);
  }
  t.log(`pooled / best groups: ${shown(ratios)}`);
  t.true(mean(ratios) < 1 + 1e-6);
});
