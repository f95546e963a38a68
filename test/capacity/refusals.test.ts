import test from 'ava';
import { checkPlan, nexus, policies, pooled } from '../../allocator/index.ts';
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
