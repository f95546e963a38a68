import test from 'ava';
import { Lease } from '../../actors/allocator/lease.ts';
import { createNetwork, encodeJson, VirtualClock } from '../../bus/index.ts';

const LEASE_MS = 3000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Allocators with nothing but a lease, on one store. */
function rig() {
  const clock = new VirtualClock();
  const network = createNetwork({ clock });
  const admin = network.connect('admin');
  const start = (id: string) => {
    const bus = network.connect(id);
    const seen = { leads: 0, lost: [] as string[], claimed: 0, heardEpoch: 0 };
    const lease: Lease = new Lease({
      id,
      leaseMs: LEASE_MS,
      clock,
      log: silent,
      bucket: () => bus.keyValue('plan'),
      newNonce: () => `${id}-${++seen.leads}`,
      reachable: () => true,
      heardEpoch: () => seen.heardEpoch,
      won: () => {},
      lost: reason => seen.lost.push(reason),
      claimed: () => seen.claimed++,
    });
    return { id, lease, seen, tick: () => clock.settle(lease.tick()) };
  };
  const wait = (ms: number) => clock.runFor(ms);
  return { clock, network, admin, start, wait };
}

test('lease: who takes it claims a thousand epochs, and who takes it next claims others', async t => {
  const { start, wait, network } = rig();
  const [one, two] = [start('one'), start('two')];
  await one.tick();
  t.deepEqual([one.lease.nextEpoch(0), one.lease.nextEpoch(0), one.lease.nextEpoch(7)], [1, 2, 8]);
  await two.tick();
  network.disconnect('one');
  await wait(LEASE_MS + 1);
  await two.tick();
  t.true(one.lease.leads && two.lease.leads, 'one does not know yet');
  t.is(two.lease.nextEpoch(8), 1001);
  t.is(one.lease.nextEpoch(8), 9);
  network.reconnect('one');
  await one.tick();
  t.false(one.lease.leads);
  t.deepEqual(one.seen.lost, ['another allocator took the lease']);
  t.is(one.lease.nextEpoch(0), undefined);
});

test('lease: given back, it goes on at once and without a gap', async t => {
  const { start, clock } = rig();
  const [one, two] = [start('one'), start('two')];
  await one.tick();
  one.lease.nextEpoch(0);
  await two.tick();
  await clock.settle(one.lease.release());
  await two.tick();
  t.true(two.lease.leads);
  t.is(two.lease.nextEpoch(0), 2);
});

test('lease: more is claimed before all is used, as long as storage is there', async t => {
  const { start, network, wait } = rig();
  const one = start('one');
  await one.tick();
  t.is(one.lease.nextEpoch(599), 600);
  await one.tick();
  t.is(one.seen.claimed, 1);
  t.is(one.lease.nextEpoch(1499), 1500);
  network.storageAvailable = false;
  await one.tick();
  t.is(one.lease.nextEpoch(1999), 2000, 'what was claimed can be named');
  t.is(one.lease.nextEpoch(2000), undefined, 'what was not can not');
  await wait(1);
  network.storageAvailable = true;
  await one.tick();
  t.is(one.seen.claimed, 2);
  t.is(one.lease.nextEpoch(2000), 2001);
});

test('lease: above an epoch of somebody else it claims first', async t => {
  const { start } = rig();
  const one = start('one');
  await one.tick();
  t.is(one.lease.nextEpoch(5000), undefined);
  await one.tick();
  t.is(one.lease.nextEpoch(5000), 5001);
});

test('lease: a store that lost the claims: what was heard of counts', async t => {
  const { start, admin, clock } = rig();
  const one = start('one');
  one.seen.heardEpoch = 3210;
  await clock.settle(admin.keyValue('plan').then(bucket => bucket.put('leader', encodeJson({ v: 1, nonce: '' }))));
  await one.tick();
  t.is(one.lease.nextEpoch(0), 3211);
});

test('lease: a store that gives a revision out twice does not make two leaders', async t => {
  const { start, network, wait } = rig();
  const [one, two] = [start('one'), start('two')];
  await two.tick();
  await wait(LEASE_MS + 1);
  const lose = network.storageImage();
  network.disconnect('two');
  await one.tick();
  await wait(LEASE_MS + 1);
  await one.tick();
  t.true(one.lease.leads);
  network.stop();
  lose();
  network.start();
  network.disconnect('one');
  network.reconnect('two');
  await two.tick();
  t.true(two.lease.leads, 'its lease is as if it had never been lost');
  network.reconnect('one');
  await one.tick();
  t.true(two.lease.leads && !one.lease.leads, 'the revision is what one had written last, the nonce is not');
});
