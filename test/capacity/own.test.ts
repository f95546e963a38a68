import test from 'ava';
import { capacityPolicyOf, nexus, packingPolicy, type Workload } from '../../allocator/index.ts';
import { PolicyError } from '../../contracts/index.ts';
import { affine, device, MB, session, workload } from './world.ts';

const given = (facts: Partial<Workload> = {}): Workload =>
  workload(
    [session('m', { rateHz: 300 }), session('n', { rateHz: 300 })],
    [affine('m', 1, 5), affine('n', 1, 5)],
    facts,
  );
const policyOf = (pack: (workload: Workload) => unknown) =>
  capacityPolicyOf(packingPolicy('mine', pack as Parameters<typeof packingPolicy>[1]), () => {});
const on = (...sessions: readonly object[]) => ({ kind: 'k', sessions });
const both = [on({ name: 'm', batch: 8, rateHz: 300 }), on({ name: 'n', batch: 8, rateHz: 300 })];

test('own packing: devices are placed, priced and named as those of other policies', t => {
  const plan = policyOf(() => both)(given());
  t.deepEqual([plan.policy, plan.gpus, plan.costPerHour, plan.refused.length], ['mine', 2, 2, 0]);
  const [host] = plan.hosts;
  t.deepEqual([host!.id, host!.dutyMs, host!.sessions[0]!.latencyMs], ['k-1', 13, 26]);
  t.true(Math.abs(host!.occupancy - (0.3 * 13) / 8) < 1e-9);
  t.deepEqual(plan.bound, nexus(given()).bound);
});

test('own packing: where devices do not suffice fewer sessions are asked for, and somebody is refused', t => {
  const asked: number[] = [];
  const pack = ({ sessions }: Workload) => {
    asked.push(sessions.length);
    return sessions.map(({ name, rateHz }) => on({ name, batch: 8, rateHz }));
  };
  const plan = policyOf(pack)(given({ devices: [device({ count: 1 })] }));
  t.deepEqual([plan.gpus, plan.refused.length], [1, 1]);
  t.true(asked.includes(2) && asked.includes(1));
});

for (const [what, pack, says] of [
  [
    'throws',
    () => {
      throw new Error('no idea');
    },
    /packing threw: no idea/,
  ],
  ['returns no list', () => 3, /must return a list of devices, or undefined/],
  [
    'names a kind that is not there',
    () => [{ ...both[0], kind: 'x' }],
    /device 0 \(x\): there is no such kind; there are k/,
  ],
  ['names a session of nobody', () => [on({ name: 'o', batch: 1, rateHz: 1 })], /nobody asked for a session "o"/],
  ['forgets a session', () => both.slice(0, 1), /serves 0 Hz of n, which asks for 300 Hz/],
  ['serves a part of a rate', () => [both[0], on({ name: 'n', batch: 8, rateHz: 200 })], /serves 200 Hz of n/],
  [
    'makes batches that were not measured',
    () => [on({ name: 'm', batch: 65, rateHz: 300 })],
    /a batch of 65; it was measured for 1 to 64/,
  ],
  ['makes rates up', () => [on({ name: 'm', batch: 1, rateHz: Number.NaN })], /m has a rate of NaN/],
  ['leaves a device empty', () => [on()], /has no `sessions`/],
] as const)
  test(`own packing: one that ${what} is stopped`, t => {
    const error = t.throws(() => policyOf(pack)(given()), { instanceOf: PolicyError, message: says });
    t.is(error.policy, 'mine');
  });

test('own packing: more than a device has memory for is stopped', t => {
  const crowded = [on({ name: 'm', batch: 8, rateHz: 300 }, { name: 'n', batch: 8, rateHz: 300 })];
  t.throws(() => policyOf(() => crowded)(given({ devices: [device({ memoryBytes: 450 * MB })] })), {
    message: /device 0 \(k\): needs 480 MB, it has 450 MB/,
  });
});
