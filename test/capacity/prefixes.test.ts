import test from 'ava';
import { checkPlan, policies, pooled, type Curve, type Workload } from '../../allocator/index.ts';
import { affine, device, MB, session, workload } from './world.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
/** A trunk of nearly all the time, and a head each; the whole model is both. */
const HEAVY = { persistentBytes: 1900 * MB };
const whole = (name: string): Curve => affine(name, 1.02, 6.2, HEAVY);
const trunk = affine('trunk', 1, 6, HEAVY);
const head = (name: string): Curve => affine(`head-${name}`, 0.02, 0.2, { persistentBytes: 10 * MB });

const grouped = (rateHz: number, facts: { sloMs?: (name: string) => number } = {}): Workload =>
  workload(
    NAMES.map(name => session(name, { rateHz, sloMs: facts.sloMs?.(name) ?? 60 })),
    [...NAMES.flatMap(name => [whole(name), head(name)]), trunk],
    {
      devices: [device({ memoryBytes: 4000 * MB })],
      prefixes: [{ members: NAMES, prefix: 'trunk', suffixes: new Map(NAMES.map(name => [name, `head-${name}`])) }],
    },
  );
const apart = (given: Workload): Workload => ({ ...given, prefixes: [] });

for (const [name, policy] of policies) {
  test(`capacity: six variants of one model behind their prefix take fewer devices than apart (${name})`, t => {
    const given = grouped(20);
    const [together, alone] = [policy(given), policy(apart(given))];
    // Apart, no more than two of the models are in the memory of one device.
    t.true(alone.gpus >= 3);
    t.is(together.gpus, 1);
    t.deepEqual(checkPlan(given, together), []);
  });

  test(`capacity: behind a prefix run ℓ_prefix(Σb) and ℓ_suffix(b) of each, in the memory of one trunk (${name})`, t => {
    const given = grouped(20);
    const [host] = policy(given).hosts;
    const batch = host!.sessions[0]!.prefixBatch!;
    for (const s of host!.sessions) {
      t.like(s, { model: `head-${s.name}`, prefix: 'trunk', prefixBatch: batch, batch: Math.ceil(batch / 6) });
    }
    const heads = host!.sessions.slice(0, batch);
    const runMs = trunk.latencyMs(batch) + heads.reduce((sum, s) => sum + head(s.name).latencyMs(s.batch), 0);
    t.true(runMs <= host!.dutyMs + 1e-9);
    t.true(2 * runMs <= 60 || host!.dutyMs + runMs <= 60 + 1e-9);
  });
}

test('capacity: members with different objectives are all served within the tightest one', t => {
  const given = grouped(20, { sloMs: name => (name === 'a' ? 40 : 400) });
  const plan = pooled(given);
  t.deepEqual(checkPlan(given, plan), []);
  const behind = plan.hosts.flatMap(host => host.sessions.filter(s => s.prefix !== undefined));
  t.is(behind.length, NAMES.length);
  t.true(behind.every(s => s.latencyMs <= 40 + 1e-9));
});

test('capacity: a group that would cost more than its members apart is planned apart', t => {
  // The tightest member lets no batch be filled; apart the others take large ones.
  const given = grouped(300, { sloMs: name => (name === 'a' ? 8 : 400) });
  const roomy = { ...given, devices: [device()] };
  const plan = pooled(roomy);
  t.true(plan.hosts.every(host => host.sessions.every(s => s.prefix === undefined)));
  t.true(plan.costPerHour <= pooled(apart(roomy)).costPerHour + 1e-9);
});

test('capacity: a member that no device holds alone is served behind the prefix', t => {
  const given = grouped(20);
  const curves = given.curves;
  const known = {
    ...curves,
    find: (model: string, kind: string) => (model === 'a' ? undefined : curves.find(model, kind)),
  };
  t.deepEqual(pooled({ ...given, curves: known }).refused, []);
  t.is(pooled({ ...apart(given), curves: known }).refused[0]!.session, 'a');
});
