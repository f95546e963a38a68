import test from 'ava';
import {
  checkPlan,
  lowerBound,
  HEADROOM,
  nexus,
  NO_HEADROOM,
  pack,
  pooled,
  pooledWith,
  type CapacityPlan,
} from '../../allocator/index.ts';
import { curve } from '../allocator/profiles.ts';
import { affine, device, MB, session, workload } from './world.ts';

const describe = (plan: CapacityPlan): string[] =>
  plan.hosts.map(h => `${Number(h.dutyMs.toFixed(3))} ms: ${h.sessions.map(s => `${s.name}×${s.batch}`).join(' ')}`);

test("capacity: the paper's residuals (A 64, B and C 32 requests a second: B joins A, C does not)", t => {
  const all = [
    curve('A', { 4: 50, 8: 75, 16: 100 }),
    curve('B', { 4: 50, 8: 90, 16: 125 }),
    curve('C', { 4: 60, 8: 95, 16: 125 }),
  ];
  const given = workload(
    [
      session('A', { sloMs: 200, rateHz: 64 }),
      session('B', { sloMs: 250, rateHz: 32 }),
      session('C', { sloMs: 250, rateHz: 32 }),
    ],
    all,
  );
  const plan = nexus(given);
  t.is(plan.gpus, 2);
  t.true(describe(plan).includes('125 ms: A×8 B×4'));
  t.deepEqual(checkPlan(given, plan), []);
  t.true(plan.hosts.some(host => host.sessions.some(s => s.name === 'A' && s.latencyMs === 200)));
});

test("capacity: the slides' pair (M2 takes 63 % of M1's cycle of 8 ms: no merge)", t => {
  const all = [curve('M1', { 4: 4 }), curve('M2', { 2: 5, 3: 6 })];
  const given = workload([session('M1', { sloMs: 12, rateHz: 500 }), session('M2', { sloMs: 18, rateHz: 250 })], all);
  t.deepEqual(describe(nexus(given)), ['8 ms: M1×4', '12 ms: M2×3']);
});

test('capacity: eight staggered GPUs take larger batches than eight that stand alone (ResNet-50, 25 ms)', t => {
  // (1+1/8)·ℓ(b) ≤ 25: b = 15 and 700 requests a second each, against 2ℓ(b) ≤ 25: b = 6 and 513.
  const given = workload([session('r', { sloMs: 25, rateHz: 5300 })], [affine('r', 1.082, 5.204)]);
  const plan = pooledWith(NO_HEADROOM)(given);
  t.is(plan.gpus, 8);
  t.is(plan.hosts[0]!.sessions[0]!.batch, 15);
  t.is(nexus(given).gpus, 11);
  t.true(lowerBound(given).gpus < 7.6);
});

test('capacity: squishy packing here is the plain algorithm, only faster', t => {
  const all = Array.from({ length: 40 }, (_, i) =>
    affine(`m${i}`, 0.3 + (i % 7) / 3, 1 + (i % 5), { persistentBytes: 1 }),
  );
  const sessions = all.map((c, i) => session(c.model, { sloMs: 40 + ((i * 37) % 160), rateHz: 3 + ((i * 53) % 90) }));
  const given = workload(sessions, all, { devices: [device({ memoryBytes: 64_000 * MB })] });
  const loads = sessions.map((s, i) => ({ name: s.name, rateHz: s.rateHz, deviceMs: s.sloMs, curve: all[i]! }));
  const plain = pack(loads, 64_000 * MB).map(node =>
    node.shares
      .map(s => `${s.load.name}×${s.batch}`)
      .toSorted()
      .join(' '),
  );
  const ours = nexus(given).hosts.map(h =>
    h.sessions
      .map(s => `${s.name}×${s.batch}`)
      .toSorted()
      .join(' '),
  );
  t.deepEqual(ours.toSorted(), plain.toSorted());
});

test('capacity: headroom grows with the variation of the rates, less so where many sessions share a pool', t => {
  const share = (rateHz: number, sessions: number, rateVariation: number): number => {
    const all = Array.from({ length: sessions }, (_, i) =>
      session(`s${i}`, { model: 'r', rateHz: rateHz / sessions, rateVariation }),
    );
    const given = workload(all, [affine('r', 1.082, 5.204)]);
    return pooledWith(HEADROOM)(given).gpus / pooledWith(NO_HEADROOM)(given).gpus;
  };
  t.true(share(70_000, 1, 0.05) > share(70_000, 1, 0));
  t.true(share(70_000, 10, 0.05) < share(70_000, 1, 0.05));
});

test('capacity: independent devices keep room for rates that vary, as pools do', t => {
  const gpus = (rateVariation: number): number[] => {
    const given = workload([session('r', { rateHz: 450, rateVariation })], [affine('r', 1.082, 5.204)]);
    return [nexus(given).gpus, pooled(given).gpus];
  };
  t.deepEqual(gpus(0), [1, 1]);
  t.deepEqual(gpus(0.5), [1, 2]);
});

test('capacity: a pool leaves half a device free, and runs shorter batches beside a session that can not wait for long ones', t => {
  const all = [affine('long', 3, 6), affine('quick', 0.01, 0.1)];
  const long = session('long', { sloMs: 120, rateHz: 5400 });
  const longest = (sloMs: number): { batch: number; gpus: number; busy: number } => {
    const plan = pooled(workload([long, session('quick', { sloMs, rateHz: 500 })], all));
    const busy = plan.hosts.reduce((sum, host) => sum + host.occupancy, 0);
    return { batch: plan.hosts[0]!.sessions.find(s => s.name === 'long')!.batch, gpus: plan.gpus, busy };
  };
  const [patient, urgent] = [longest(200), longest(20)];
  t.true(urgent.batch < patient.batch, `${urgent.batch} and ${patient.batch}`);
  // Four batches end in the 19.89 ms that it can wait.
  t.true(4 * (3 * urgent.batch + 6) <= 19.89 * urgent.gpus);
  t.true(patient.busy <= patient.gpus - 0.5, `${patient.busy} of ${patient.gpus}`);
});
