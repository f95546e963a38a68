import test from 'ava';
import fc from 'fast-check';
import {
  checkPlan,
  movesOf,
  nexus,
  NO_HEADROOM,
  policies,
  pooled,
  pooledWith,
  type Workload,
} from '../../allocator/index.ts';
import { checkSteps } from './steps.ts';
import { anyWorkload, device, places } from './world.ts';
import { runs } from '../helpers/properties.ts';

const RUNS = runs(25);
const expect = (problems: readonly string[]): void => {
  if (problems.length > 0) throw new Error(problems.join('; '));
};

test('capacity: every plan keeps every objective, the memory, the devices on offer, and serves or refuses (property)', t => {
  fc.assert(
    fc.property(anyWorkload({ prefixes: true }), workload => {
      for (const policy of policies.values()) expect(checkPlan(workload, policy(workload)));
    }),
    RUNS,
  );
  t.pass();
});

/** Rates that don't vary: the baseline keeps no room for it. */
const steady = (workload: Workload): Workload => ({
  ...workload,
  sessions: workload.sessions.map(s => ({ ...s, rateVariation: 0 })),
});

test('capacity: pooled without headroom never needs more than nexus, and neither less than the bound (differential)', t => {
  fc.assert(
    fc.property(anyWorkload({ devices: [device()], prefixes: true }).map(steady), workload => {
      const [a, b] = [pooledWith(NO_HEADROOM)(workload), nexus(workload)];
      if (a.gpus > b.gpus) throw new Error(`pooled ${a.gpus}, nexus ${b.gpus}`);
      if (a.bound.gpus > a.gpus + 1e-6) throw new Error(`bound ${a.bound.gpus}, pooled ${a.gpus}`);
      if (b.bound.independentGpus > b.gpus + 1e-6) throw new Error(`bound ${b.bound.independentGpus}, nexus ${b.gpus}`);
    }),
    RUNS,
  );
  t.pass();
});

test('capacity: equal input gives an equal plan, in whatever order it is written (property)', t => {
  fc.assert(
    fc.property(anyWorkload({ prefixes: true }), workload => {
      const turned: Workload = {
        ...workload,
        sessions: workload.sessions.toReversed(),
        devices: workload.devices.toReversed(),
      };
      for (const policy of policies.values()) {
        const [a, b] = [policy(workload), policy(turned)];
        t.deepEqual([a.hosts, a.refused], [b.hosts, b.refused]);
      }
    }),
    runs(20),
  );
});

test('capacity: the way from any plan to any other is safe at each step (property)', t => {
  fc.assert(
    fc.property(
      anyWorkload({ prefixes: true }),
      fc.array(fc.double({ min: 0, max: 3, noNaN: true })),
      (workload, factors) => {
        const other: Workload = {
          ...workload,
          sessions: workload.sessions.map((s, i) => ({ ...s, rateHz: s.rateHz * (factors[i] ?? 1) })),
        };
        const before = pooled(workload);
        const after = nexus(other, before);
        const apart = pooled({ ...other, prefixes: [] }, before);
        for (const [from, to] of [
          [undefined, before],
          [before, after],
          [after, before],
          [apart, before],
          [before, apart],
        ] as const) {
          expect(checkSteps(from, to, movesOf(from, to, workload), workload));
        }
      },
    ),
    runs(25),
  );
  t.pass();
});

const atRates = (workload: Workload, factor: number): Workload => ({
  ...workload,
  sessions: workload.sessions.map(s => ({ ...s, rateHz: s.rateHz * factor })),
});

test('capacity: one percent less or more moves nothing (property)', t => {
  fc.assert(
    fc.property(anyWorkload(), workload => {
      const before = pooled(workload);
      // Where room on single devices would cost a device, they are packed to the brim: there one percent more can be too much.
      const room = nexus(atRates(workload, 1 / (1 - 0.012)));
      const hasRoom =
        before.hosts.every(host => host.pool !== host.id) || room.costPerHour <= before.costPerHour + 1e-9;
      for (const factor of hasRoom ? [0.99, 1.01] : [0.99]) {
        const now = atRates(workload, factor);
        const after = pooled(now, before);
        expect(checkPlan(now, after));
        if (places(before).join() !== places(after).join()) throw new Error(`moved at ${factor}`);
      }
    }),
    RUNS,
  );
  t.pass();
});

test('capacity: a plan made from another one is as good as one from scratch (property)', t => {
  const factors = fc.array(fc.double({ min: 0, max: 2, noNaN: true }));
  fc.assert(
    fc.property(anyWorkload({ prefixes: true }), factors, (workload, by) => {
      const now: Workload = {
        ...workload,
        sessions: workload.sessions
          .map((s, i) => ({ ...s, rateHz: s.rateHz * (by[i] ?? 1) }))
          .filter((_, i) => (by[i] ?? 1) > 0.1),
      };
      for (const policy of policies.values()) {
        const before = policy({ ...workload, sessions: workload.sessions.slice(2) });
        expect(checkPlan(now, policy(now, before)));
      }
    }),
    RUNS,
  );
  t.pass();
});
