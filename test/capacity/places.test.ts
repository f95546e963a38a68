import test from 'ava';
import fc from 'fast-check';
import {
  checkPlan,
  nexus,
  NO_HEADROOM,
  policies,
  pooled,
  pooledWith,
  type CapacityPlan,
  type DeviceOffer,
} from '../../allocator/index.ts';
import { affine, anyWorkload, device, session, workload } from './world.ts';

const spot = (facts: Partial<DeviceOffer> = {}): DeviceOffer =>
  device({ revocable: true, pricePerHour: 0.2, ...facts });
const zonesOf = (plan: CapacityPlan, name: string): string[] =>
  [...new Set(plan.hosts.filter(h => h.sessions.some(s => s.name === name)).map(h => h.zone))].toSorted();
const firmOf = (plan: CapacityPlan, name: string): number =>
  plan.hosts.filter(h => !h.revocable && h.sessions.some(s => s.name === name)).length;
const resnet = affine('resnet', 1.082, 5.204);

test('capacity: of many devices for a session the first cannot be revoked, the others are the cheapest', t => {
  const given = workload([session('a', { model: 'resnet', rateHz: 4000 })], [resnet], {
    devices: [device({ pricePerHour: 0.5 }), spot()],
  });
  for (const policy of policies.values()) {
    const plan = policy(given);
    t.true(plan.gpus > 4);
    t.is(firmOf(plan, 'a'), 1, plan.policy);
    t.true(Math.abs(plan.costPerHour - (0.5 + 0.2 * (plan.gpus - 1))) < 1e-9);
    t.deepEqual(checkPlan(given, plan), []);
  }
});

test('capacity: firm devices that do not suffice go to the more urgent; who has none is told', t => {
  const slow = affine('slow', 1, 40);
  const sessions = ['a', 'b'].map((name, i) =>
    // ℓ(1) ≤ L < 2ℓ(1): each has a device of its own.
    session(name, { model: 'slow', sloMs: 60, rateHz: 5, priority: i }),
  );
  const given = workload(sessions, [slow], { devices: [device({ count: 1 }), spot({ count: 9 })] });
  for (const policy of policies.values()) {
    const plan = policy(given);
    t.deepEqual([plan.gpus, firmOf(plan, 'a'), firmOf(plan, 'b')], [2, 0, 1], plan.policy);
    t.regex(plan.notes.join(), /a: all its devices can be revoked/);
    t.deepEqual(checkPlan(given, plan), []);
  }
});

test('capacity: a kind that can be revoked is not taken alone where another is firm, however cheap', t => {
  const fast = affine('resnet', 0.5, 2, { device: 'fast' });
  const given = workload([session('a', { model: 'resnet' })], [resnet, fast], {
    devices: [device({ pricePerHour: 3 }), spot({ kind: 'fast', pricePerHour: 0.01 })],
  });
  for (const policy of policies.values()) {
    const plan = policy(given);
    t.deepEqual(
      plan.hosts.map(host => host.kind),
      ['k'],
    );
    const only = policy({ ...given, devices: given.devices.slice(1) });
    t.deepEqual([only.gpus, only.refused.length], [1, 0]);
  }
});

test('capacity: copies go to different zones, the cheapest that keep one device firm', t => {
  const devices = [
    spot({ zone: 'a', pricePerHour: 0.2, count: 3 }),
    device({ zone: 'a', pricePerHour: 0.5, count: 3 }),
    spot({ zone: 'b', pricePerHour: 0.55, count: 3 }),
    device({ zone: 'b', pricePerHour: 0.6, count: 3 }),
  ];
  const given = workload([session('a', { model: 'resnet', rateHz: 10, replicasMin: 2 })], [resnet], { devices });
  for (const policy of policies.values()) t.deepEqual(zonesOf(policy(given), 'a'), ['a', 'b']);
  // Firm in b and revocable in a, not the cheapest firm one and what is cheapest in the other zone.
  const { costPerHour } = pooled(given);
  t.true(Math.abs(costPerHour - 0.8) < 1e-9, `${costPerHour}`);
});

test('capacity: three copies in two zones are three copies, and a note says so', t => {
  const devices = [device({ zone: 'a' }), device({ zone: 'b', pricePerHour: 2 })];
  const given = workload([session('a', { model: 'resnet', rateHz: 10, replicasMin: 3 })], [resnet], { devices });
  for (const policy of policies.values()) {
    const plan = policy(given);
    t.deepEqual([plan.gpus, zonesOf(plan, 'a')], [3, ['a', 'b']]);
    t.regex(plan.notes.join(), /a: 3 copies in 2 zone/);
    t.deepEqual(checkPlan(given, plan), []);
  }
});

test('capacity: the last device of a zone goes to whom it gives a second zone (property)', t => {
  const offer = fc.record({
    zone: fc.constantFrom('a', 'b', 'c'),
    count: fc.integer({ min: 1, max: 4 }),
    pricePerHour: fc.constantFrom(0.3, 1, 2),
    revocable: fc.boolean(),
  });
  fc.assert(
    fc.property(
      anyWorkload({ sessions: { max: 8, rateMaxHz: 300 } }),
      fc.array(offer, { minLength: 2, maxLength: 5 }),
      (given, offers) => {
        const devices = offers.map(facts => device(facts));
        for (const policy of policies.values()) {
          const problems = checkPlan({ ...given, devices }, policy({ ...given, devices }));
          if (problems.length > 0) throw new Error(problems.join('; '));
        }
      },
    ),
    { numRuns: 200 },
  );
  t.pass();
});

test('capacity: a plan that leaves a zone or a firm device unused is told', t => {
  const devices = [device({ zone: 'a', count: 2 }), device({ zone: 'b', count: 2 }), spot({ zone: 'a' })];
  const given = workload([session('a', { model: 'resnet', rateHz: 10, replicasMin: 2 })], [resnet], { devices });
  const plan = pooled(given);
  const changed = (facts: Partial<DeviceOffer>): string => {
    const hosts = plan.hosts.map(host => ({ ...host, zone: 'a', ...facts }));
    const costPerHour = hosts.reduce((sum, host) => sum + host.pricePerHour, 0);
    return checkPlan(given, { ...plan, hosts, costPerHour, bound: { ...plan.bound, costPerHour: 0 } }).join('; ');
  };
  t.deepEqual(checkPlan(given, plan), []);
  t.regex(changed({}), /a: in 1 zone\(s\); another device would be better/);
  t.regex(changed({ pricePerHour: 0.2, revocable: true }), /a: in 1 zone\(s\), all of its devices can be revoked/);
});

test('capacity: what plans are compared by is what their devices cost (kinds of different price)', t => {
  // Per request "slow" costs half as much as "fast" by its firm price, and twice as much by what it takes beyond that.
  const slow = affine('resnet', 2.164, 10.408, { device: 'slow' });
  const devices = [
    device({ pricePerHour: 1, count: 1 }),
    spot({ pricePerHour: 0.1 }),
    device({ kind: 'slow', pricePerHour: 0.4 }),
  ];
  for (const rateHz of [50, 400, 1600, 6400]) {
    const given = workload([session('a', { model: 'resnet', rateHz, sloMs: 200 })], [resnet, slow], { devices });
    const alone = devices
      .map(d => d.kind)
      .map(kind => pooled({ ...given, devices: devices.filter(d => d.kind === kind) }));
    const best = Math.min(...alone.map(plan => plan.costPerHour));
    t.is(pooled(given).costPerHour, best, `${rateHz} a second`);
    t.true(nexus(given).costPerHour >= pooledWith(NO_HEADROOM)(given).costPerHour);
  }
});
