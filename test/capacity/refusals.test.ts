import test from 'ava';
import fc from 'fast-check';
import {
  checkPlan,
  nexus,
  policies,
  pooled,
  type CapacityPlan,
  type SessionDemand,
  type Workload,
} from '../../allocator/index.ts';
import { affine, device, MB, session, workload } from './world.ts';

test('capacity: an objective below ℓ(1) is refused with the nearest that could be held', t => {
  const given = workload([session('a', { sloMs: 5 })], [affine('a', 1, 9)]);
  for (const policy of policies.values()) {
    const { refused, gpus } = policy(given);
    t.is(gpus, 0);
    t.is(refused[0]!.nearestSloMs, 10);
    const nearest = policy({ ...given, sessions: [session('a', { sloMs: 10 })] });
    t.deepEqual(nearest.refused, []);
  }
});

test('capacity: numbers that make no sense are refused by name, the others are served', t => {
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, -1];
  const sessions = [
    session('good'),
    session('idle', { model: 'good', rateHz: 0 }),
    ...odd.map((rateHz, i) => session(`rate${i}`, { model: 'good', rateHz })),
    ...[...odd, 0].map((sloMs, i) => session(`slo${i}`, { model: 'good', sloMs })),
    session('unknown'),
    session('heavy'),
  ];
  const given = workload(sessions, [affine('good', 1, 5), affine('heavy', 1, 5, { persistentBytes: 20_000 * MB })]);
  for (const policy of policies.values()) {
    const plan = policy(given);
    t.is(plan.refused.length, sessions.length - 2);
    const reason = (name: string): string => plan.refused.find(r => r.session === name)!.reason;
    t.regex(reason('rate0'), /rateHz: NaN/);
    t.regex(reason('slo3'), /sloMs: 0/);
    t.regex(reason('unknown'), /no profile of unknown on k/);
    t.regex(reason('heavy'), /20010 MB/);
    t.deepEqual(plan.hosts.flatMap(h => h.sessions.map(s => s.name)).includes('idle'), true);
  }
});

test('capacity: two sessions of one name, or devices that make no sense, are errors that name the field', t => {
  const all = [affine('a', 1, 5)];
  const message = (f: () => unknown): string => t.throws(f, { name: 'ConfigError' }).message;
  t.regex(
    message(() => pooled(workload([session('a'), session('a')], all))),
    /sessions\[1\]\.name/,
  );
  const devices = [device({ memoryBytes: Number.NaN })];
  t.regex(
    message(() => nexus(workload([session('a')], all, { devices }))),
    /devices\[0\]\.memoryBytes/,
  );
});

test('capacity: what is short goes to the higher priority, then evenly to tenants', t => {
  const model = affine('m', 2, 8);
  const of = (name: string, tenant: string, priority: number): ReturnType<typeof session> =>
    session(name, { model: 'm', tenant, priority, sloMs: 60, rateHz: 150 });
  const sessions = [
    of('urgent', 'c', 1),
    ...[1, 2, 3, 4, 5, 6].map(i => of(`big${i}`, 'big', 0)),
    ...[1, 2].map(i => of(`small${i}`, 'small', 0)),
  ];
  const given = workload(sessions, [model], { devices: [device({ count: 3 })] });
  const plan = pooled(given);
  const served = [...new Set(plan.hosts.flatMap(h => h.sessions.map(s => s.name)))];
  const count = (stem: string): number => served.filter(name => name.startsWith(stem)).length;
  t.true(served.includes('urgent'));
  t.true(plan.refused.length > 0);
  t.true(Math.abs(count('big') - count('small')) <= 1, served.join(' '));
  t.regex(plan.refused[0]!.reason, /do not suffice/);
  t.deepEqual(checkPlan(given, plan), []);
});

test('capacity: a query is refused whole when a stage of it is', t => {
  const sessions = [session('q.a', { model: 'a', query: 'q' }), session('q.b', { model: 'b', query: 'q', sloMs: 1 })];
  const plan = pooled(workload(sessions, [affine('a', 1, 5), affine('b', 1, 5)]));
  t.is(plan.gpus, 0);
  t.regex(plan.refused[0]!.reason, /query q can't be served without q\.b/);
});

test('capacity: of several stages that can not be served a refusal names the first by name, in whatever order they come', t => {
  const sessions = [
    session('q.a', { model: 'a', query: 'q' }),
    session('q.b', { model: 'b', query: 'q', sloMs: 1 }),
    session('q.c', { model: 'c', query: 'q', sloMs: 2 }),
  ];
  for (const given of [sessions, sessions.toReversed()]) {
    const plan = pooled(workload(given, [affine('a', 1, 5), affine('b', 1, 5), affine('c', 1, 5)]));
    t.regex(plan.refused.find(r => r.session === 'q.a')!.reason, /without q\.b/);
  }
});

test('capacity: who is refused for want of devices is told the nearest objective that what is left could hold', t => {
  const given = workload(
    [session('first', { sloMs: 100, rateHz: 60, priority: 1 }), session('second', { sloMs: 30, rateHz: 60 })],
    [affine('first', 1, 9), affine('second', 1, 9)],
    { devices: [device({ count: 1 })] },
  );
  for (const policy of policies.values()) {
    const [refused] = policy(given).refused;
    t.is(refused?.session, 'second');
    const at = (sloMs: number): number => {
      const sessions = [given.sessions[0]!, { ...given.sessions[1]!, sloMs }];
      return policy({ ...given, sessions }).refused.length;
    };
    const nearest = refused!.nearestSloMs!;
    t.true(nearest > 30 && nearest < 120, `${nearest}`);
    t.deepEqual([at(nearest), at(nearest / 1.03)], [0, 1]);
  }
});

test('capacity: no objective is named where none would do, as when no memory is left', t => {
  const facts = { persistentBytes: 8000 * MB };
  const given = workload(
    [session('a', { priority: 1 }), session('b')],
    [affine('a', 1, 5, facts), affine('b', 1, 5, facts)],
    { devices: [device({ count: 1 })] },
  );
  t.like(pooled(given).refused[0], { session: 'b', nearestSloMs: undefined });
});

const crowded = fc
  .array(
    fc.record({
      sloMs: fc.double({ min: 15, max: 100, noNaN: true }),
      rateHz: fc.double({ min: 5, max: 120, noNaN: true }),
      alphaMs: fc.double({ min: 0.5, max: 3, noNaN: true }),
      betaMs: fc.double({ min: 1, max: 10, noNaN: true }),
    }),
    { minLength: 3, maxLength: 6 },
  )
  .map(all =>
    workload(
      all.map(({ sloMs, rateHz }, i) => session(`s${i}`, { sloMs, rateHz })),
      all.map(({ alphaMs, betaMs }, i) => affine(`s${i}`, alphaMs, betaMs)),
      { devices: [device({ count: 1 })] },
    ),
  );

test('capacity: each nearest objective holds besides those who are served (property)', t => {
  let figures = 0;
  fc.assert(
    fc.property(crowded, given => {
      const { hosts, refused } = pooled(given);
      const served = new Set(hosts.flatMap(host => host.sessions.map(s => s.name)));
      for (const { session: name, reason, nearestSloMs } of refused) {
        if (nearestSloMs === undefined || !reason.includes('do not suffice')) continue;
        figures++;
        const sessions = given.sessions
          .filter(s => served.has(s.name) || s.name === name)
          .map(s => (s.name === name ? { ...s, sloMs: nearestSloMs } : s));
        const plan = pooled({ ...given, sessions });
        if (plan.refused.length > 0) throw new Error(`${name} at ${nearestSloMs}: ${plan.refused[0]!.reason}`);
      }
    }),
    { numRuns: 100 },
  );
  t.true(figures > 20, `${figures} figures`);
});

test('capacity: of very many refusals the first get a figure, and a note says how many', t => {
  const sessions = Array.from({ length: 1500 }, (_, i) => session(`s${i}`, { model: 'm', rateHz: 10 }));
  const plan = pooled(workload(sessions, [affine('m', 1, 9)], { devices: [device({ count: 4 })] }));
  const without = plan.refused.length;
  t.true(without > 500);
  t.regex(plan.notes.join(), new RegExp(`nearest objectives were sought for \\d+ of the ${without} `));
});

const servedHz = (plan: CapacityPlan, given: Workload, tenant: string): number =>
  plan.hosts
    .flatMap(host => host.sessions)
    .filter(s => given.sessions.find(one => one.name === s.name)!.tenant === tenant)
    .reduce((sum, s) => sum + s.rateHz, 0);

test('capacity: tenants share what is short evenly, whoever has more sessions, larger ones or earlier names (property)', t => {
  const tenants = fc.tuple(fc.integer({ min: 4, max: 12 }), fc.integer({ min: 4, max: 12 }), fc.constantFrom(1, 2, 3));
  fc.assert(
    fc.property(tenants, ([left, right, size]) => {
      const of = (tenant: string, count: number, rateHz: number): SessionDemand[] =>
        Array.from({ length: count }, (_, i) => session(`${tenant}${i}`, { model: 'm', tenant, rateHz, sloMs: 60 }));
      // Each asks for more than half of what there is.
      const sessions = [...of('a', left, 200 * size), ...of('b', right, 200)];
      const given = workload(sessions, [affine('m', 2, 8)], { devices: [device({ count: 3 })] });
      const plan = pooled(given);
      const [a, b] = [servedHz(plan, given, 'a'), servedHz(plan, given, 'b')];
      const asked = (tenant: string): number =>
        sessions.filter(s => s.tenant === tenant).reduce((sum, s) => sum + s.rateHz, 0);
      // Who gets less either got all it asked for, or would get more than the other with one session more.
      const isFair = (less: number, more: number, tenant: string): boolean =>
        less >= asked(tenant) - 1e-6 || more - less <= 200 * size + 1e-6;
      if (!isFair(a, b, 'a') || !isFair(b, a, 'b')) throw new Error(`a ${a}, b ${b} requests a second`);
    }),
    { numRuns: 40 },
  );
  t.pass();
});

test('capacity: a session of higher priority is never refused while lower ones of its sort are served (property)', t => {
  const priorities = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 8, maxLength: 16 });
  fc.assert(
    fc.property(priorities, fc.integer({ min: 1, max: 4 }), (levels, count) => {
      const sessions = levels.map((priority, i) =>
        session(`s${i}`, { model: 'm', tenant: `t${i % 3}`, rateHz: 200, sloMs: 60, priority }),
      );
      const given = workload(sessions, [affine('m', 2, 8)], { devices: [device({ count })] });
      for (const policy of policies.values()) {
        const refused = new Set(policy(given).refused.map(r => r.session));
        const of = (wanted: boolean): number[] =>
          sessions.filter(s => refused.has(s.name) === wanted).map(s => s.priority);
        const [best, worst] = [Math.max(-1, ...of(true)), Math.min(4, ...of(false))];
        if (best > worst) throw new Error(`priority ${best} is refused, ${worst} is served`);
      }
    }),
    { numRuns: 40 },
  );
  t.pass();
});
