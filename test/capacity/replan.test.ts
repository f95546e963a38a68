import test from 'ava';
import fc from 'fast-check';
import {
  checkPlan,
  HEADROOM,
  movesOf,
  nexus,
  pooled,
  pooledWith,
  type CapacityPlan,
  type Workload,
} from '../../allocator/index.ts';
import { runs } from '../helpers/properties.ts';
import { checkSteps } from './steps.ts';
import { affine, anyWorkload, device, places, session, workload } from './world.ts';

/** As it judges workloads that are too large to plan from scratch each time. */
const estimating = pooledWith(HEADROOM, { knownSessionsMax: 0 });
const changes = fc.array(fc.oneof(fc.constant(1), fc.double({ min: 0.5, max: 2, noNaN: true })), {
  minLength: 12,
  maxLength: 12,
});

const scaled = (given: Workload, factors: readonly number[]): Workload => ({
  ...given,
  sessions: given.sessions.map((s, i) => ({ ...s, rateHz: s.rateHz * (factors[i] ?? 1) })),
});

const sound = (given: Workload, from: CapacityPlan, to: CapacityPlan): void => {
  const problems = checkPlan(given, to);
  if (problems.length > 0) throw new Error(problems.join('; '));
  if (to.hosts.some(host => from.hosts.some(old => old.id === host.id && old.kind !== host.kind)))
    throw new Error('id');
};

test('replan: from the plan of quite another workload, on other devices, a plan is as sound as from scratch (property)', t => {
  fc.assert(
    fc.property(anyWorkload({ prefixes: true }), anyWorkload({ prefixes: true }), (before, now) => {
      for (const policy of [pooled, estimating, nexus]) {
        const previous = policy(before);
        sound(now, previous, policy(now, previous));
      }
    }),
    runs(15),
  );
  t.pass();
});

test('replan: sessions, rates and devices change, again and again, and every plan is sound and every way safe (property)', t => {
  const step = fc.record({ by: changes, without: fc.nat({ max: 11 }), devices: fc.nat({ max: 3 }) });
  fc.assert(
    fc.property(anyWorkload({ prefixes: true }), fc.array(step, { minLength: 2, maxLength: 4 }), (given, steps) => {
      for (const policy of [pooled, estimating, nexus]) {
        let plan = policy(given);
        for (const { by, without, devices } of steps) {
          const all = scaled(given, by);
          const now: Workload = {
            ...all,
            sessions: all.sessions.filter((_, i) => i !== without),
            devices: all.devices.filter((_, i) => i !== devices || all.devices.length === 1),
          };
          const next = policy(now, plan);
          sound(now, plan, next);
          const unsafe = checkSteps(plan, next, movesOf(plan, next, now), now);
          if (unsafe.length > 0) throw new Error(unsafe.join('; '));
          plan = next;
        }
      }
    }),
    runs(12),
  );
  t.pass();
});

test('replan: costs at most 2 % more than from scratch, and a change taken back brings the cost back (property)', t => {
  fc.assert(
    fc.property(anyWorkload({ devices: [device()], prefixes: true }), changes, (given, by) => {
      const start = pooled(given);
      const now = scaled(given, by);
      const there = pooled(now, start);
      const moved = by.some((factor, i) => i < given.sessions.length && Math.abs(factor - 1) > 0.02);
      if (moved && there.costPerHour > 1.02 * pooled(now).costPerHour + 1e-6)
        throw new Error('dearer than from scratch');
      const back = pooled(given, there);
      if (back.costPerHour > 1.02 * start.costPerHour + 1e-6) throw new Error(`${start.gpus}, then ${back.gpus}`);
    }),
    runs(40),
  );
  t.pass();
});

test('replan: equal input, equal plan, whether the previous one is the same object or was read from a file (property)', t => {
  fc.assert(
    fc.property(anyWorkload({ prefixes: true }), changes, (given, by) => {
      for (const policy of [pooled, estimating, nexus]) {
        const start = policy(given);
        const middle = policy(scaled(given, by), start);
        const read = structuredClone(middle);
        const turned: Workload = { ...given, sessions: given.sessions.toReversed() };
        const [a, b, c] = [policy(given, middle), policy(given, read), policy(turned, middle)];
        t.deepEqual([b.hosts, b.refused], [a.hosts, a.refused]);
        t.deepEqual([c.hosts, c.refused], [a.hosts, a.refused]);
      }
    }),
    runs(15),
  );
});

const many = (count: number): Workload => {
  const all = Array.from({ length: count }, (_, i) => affine(`m${i}`, 0.5 + (i % 7) / 5, 2 + (i % 5)));
  const sessions = all.map((c, i) => session(c.model, { sloMs: 60 + ((i * 37) % 90), rateHz: 40 + ((i * 53) % 200) }));
  return workload(sessions, all);
};

test('replan: one session grows by half (its pool alone is sized anew, everything else is the same object)', t => {
  const given = many(300);
  const before = pooled(given);
  const now = { ...given, sessions: given.sessions.map((s, i) => (i === 7 ? { ...s, rateHz: s.rateHz * 1.5 } : s)) };
  const after = pooled(now, before);
  t.not(after.scratchRatio, undefined);
  t.deepEqual(checkPlan(now, after), []);
  const touched = after.hosts.filter(host => !before.hosts.includes(host));
  t.is(new Set(touched.map(host => host.pool)).size, 1);
  t.true(touched.every(host => host.sessions.some(s => s.name === 'm7')));
});

test('replan: a pool that is too small gives one session away, instead of loading all that it holds on a further host', t => {
  const given = many(300);
  const before = pooled(given);
  const now = scaled(
    given,
    given.sessions.map((_, i) => (i === 5 ? 2 : 1)),
  );
  const after = pooled(now, before);
  const loads = movesOf(before, after, now).moves.filter(move => move.do === 'load');
  t.true(loads.length > 0, 'it is too small');
  t.is(new Set(loads.map(move => move.model)).size, 1);
  t.deepEqual(checkPlan(now, after), []);
});

test('replan: rates fall a little everywhere (devices are given back, nothing is loaded)', t => {
  const given = many(300);
  const before = pooled(given);
  const now = scaled(
    given,
    given.sessions.map(() => 0.88),
  );
  const after = pooled(now, before);
  t.true(after.gpus < before.gpus);
  t.true(after.costPerHour <= 1.02 * before.costPerHour);
  t.is(movesOf(before, after, now).loadedBytes, 0);
});

test('replan: one percent up and down, twenty times, moves nothing', t => {
  const given = many(60);
  let plan = pooled(given);
  const start = places(plan);
  for (let i = 0; i < 20; i++) {
    const now = scaled(
      given,
      given.sessions.map((_, at) => ((i * 7 + at * 3) % 5 < 2 ? 1.01 : 0.99)),
    );
    plan = pooled(now, plan);
    t.deepEqual(checkPlan(now, plan), []);
  }
  t.deepEqual(places(plan), start);
});
