import test, { type ExecutionContext } from 'ava';
import { decode, encode } from '../../bus/index.ts';
import { BUCKETS, ErrorReply, validator, type DrainReply } from '../../contracts/index.ts';
import { stage, type HostRole, type Stage } from './roles.ts';

const isError = validator(ErrorReply);

async function drain(s: Stage, host: string, force = false): Promise<DrainReply | ErrorReply['error']> {
  const answer = s.admin.request('ganglion.control.drain', encode({ v: 1, host, force }), { timeoutMs: 5000 });
  const reply = decode((await s.clock.settle(answer)).data);
  return isError.accepts(reply) ? reply.error : (reply as DrainReply);
}

/** A router, a batcher, and hosts of 8 GB that serve `face` and `plate` at once. */
async function cluster(s: Stage, hosts: readonly string[], config: object = {}) {
  await s.router('router-1');
  await s.batcher('batcher-1');
  const roles = [];
  for (const host of hosts) roles.push(await s.host(host));
  await s.model('face');
  await s.model('plate');
  await s.query('faces', 'face');
  await s.query('plates', 'plate');
  await s.allocator('allocator-1', config);
  return roles;
}

const loadsOrdered = ({ orders }: HostRole): number =>
  orders.reduce((sum, order) => sum + (order.verb === 'prepare' ? order.models.length : 0), 0);

const serves =
  (...queries: string[]) =>
  (plan: Stage['plan']) =>
    plan.queries
      .map(q => q.query)
      .toSorted()
      .join() === queries.join();

test('allocator: the first plan puts all on as few hosts as will do', async t => {
  const s = await stage(t);
  const [a, b] = await cluster(s, ['gpu-a', 'gpu-b']);
  const plan = await s.settled(serves('faces', 'plates'));
  t.deepEqual(s.placement(), ['gpu-a: face, plate']);
  t.is(b!.residents.size, 0);
  t.true([...a!.residents.values()].every(r => r.state === 'resident'));
  t.is(plan.pools.length, 1);
  t.is(plan.pools[0]!.batcher, 'batcher-1');
  t.deepEqual(plan.refused, []);
  // Prepared before it was said, said before it was drained.
  t.true(s.story.indexOf(`gpu-a prepare ${plan.epoch}`) < s.story.indexOf(`commit ${plan.epoch}`));
});

test('allocator: nothing new is said while nothing changes', async t => {
  const s = await stage(t);
  await cluster(s, ['gpu-a']);
  const { epoch } = await s.settled(serves('faces', 'plates'));
  s.rates.set('default.faces.one', 20);
  await s.clock.runFor(180_000);
  t.is(s.plan.epoch, epoch);
  t.is(s.beats.get('allocator-1')!.modelsMoved, 2);
});

/** A host, and a query whose model has no profile. */
async function unmeasured(t: ExecutionContext): Promise<{ s: Stage; host: HostRole }> {
  const s = await stage(t);
  await s.router('router-1');
  await s.batcher('batcher-1');
  const host = await s.host('gpu-a');
  await s.model('face', {}, []);
  await s.query('faces', 'face');
  await s.allocator('allocator-1');
  return { s, host };
}

test('allocator: a model without a profile is measured first, its query refused meanwhile', async t => {
  const { s, host } = await unmeasured(t);
  const early = await s.settled(plan => plan.refused.length > 0);
  t.regex(early.refused[0]!.reason, /profiled/);
  const plan = await s.settled(serves('faces'));
  t.deepEqual(plan.refused, []);
  t.is(host.orders.filter(order => order.verb === 'profile').length, 1);
});

test('allocator: an order to measure that gets lost is given again', async t => {
  const { s, host } = await unmeasured(t);
  let orders = 0;
  s.network.link = ({ subject }) => (subject.endsWith('orders.gpu-a') && ++orders === 1 ? [] : [0.1]);
  const plan = await s.settled(serves('faces'), 20_000);
  t.deepEqual(plan.refused, []);
  t.is(host.orders[0]?.verb, 'profile');
});

test('allocator: more rate than planned brings another host in', async t => {
  const s = await stage(t);
  await cluster(s, ['gpu-a', 'gpu-b']);
  await s.settled(serves('faces', 'plates'));
  s.rates.set('default.faces.one', 1200);
  const plan = await s.settled(p => p.hosts.length === 2, 120_000);
  t.true(plan.sessions.find(x => x.name === 'default.faces.one')!.rateHz > 1100);
  const { epoch } = plan;
  await s.clock.runFor(120_000);
  t.true(s.plan.epoch - epoch <= 1);
});

test('allocator: too few hosts serve what they can, and a new one takes its part at once', async t => {
  const s = await stage(t);
  await s.router('router-1');
  await s.batcher('batcher-1');
  await s.host('gpu-a');
  for (const name of ['face', 'plate']) {
    await s.model(name);
    await s.query(`${name}s`, name, { rateHz: 700 });
  }
  await s.allocator('allocator-1');
  await s.settled(serves('faces', 'plates'));
  t.deepEqual(s.placement(), ['gpu-a: face, plate']);
  await s.host('gpu-b');
  await s.settled(plan => plan.hosts.length === 2);
});

test('allocator: drain moves models before it takes them away, then the host leaves', async t => {
  const s = await stage(t);
  const [a, b] = await cluster(s, ['gpu-a', 'gpu-b']);
  await s.settled(serves('faces', 'plates'));
  const reply = await drain(s, 'gpu-a');
  t.regex((reply as DrainReply).detail, /2 models move away from gpu-a/);
  await s.clock.runUntilTrue(() => a!.left());
  t.deepEqual(s.placement(), ['gpu-b: face, plate']);
  t.is(b!.residents.size, 2);
  const { epoch } = s.plan;
  const order = [`gpu-b prepare ${epoch}`, `commit ${epoch}`, `router-1 follows ${epoch}`, `gpu-a release ${epoch}`];
  const places = order.map(what => s.story.indexOf(what));
  t.deepEqual(
    places,
    places.toSorted((x, y) => x - y),
  );
  t.false(places.includes(-1));
  t.true(s.story.indexOf(`batcher-1 follows ${epoch}`) < places[3]!);
  await s.clock.runFor(5000);
  t.deepEqual(await (await s.bucket(BUCKETS.plan)).keys('hosts.*'), []);
});

test('allocator: drain is refused where it would end a query, unless forced; an unknown host is named', async t => {
  const s = await stage(t);
  const [a] = await cluster(s, ['gpu-a']);
  await s.settled(serves('faces', 'plates'));
  t.like(await drain(s, 'gpu-a'), { code: 'refused' });
  t.like(await drain(s, 'gpu-x'), { code: 'not-found' });
  await drain(s, 'gpu-a', true);
  await s.clock.runUntilTrue(() => a!.left());
  t.true(serves()(s.plan));
});

test('allocator: a lost host is replaced, without waiting for the least length of an epoch', async t => {
  const s = await stage(t);
  const [a] = await cluster(s, ['gpu-a', 'gpu-b'], { epochMinMs: 600_000, epochS: 6000 });
  await s.settled(serves('faces', 'plates'));
  const before = s.clock.nowMs();
  a!.die();
  await s.settled(plan => plan.hosts[0]?.host === 'gpu-b');
  t.deepEqual(s.placement(), ['gpu-b: face, plate']);
  t.true(s.clock.nowMs() - before < 10_000);
});

test('allocator: a host that dies while others prepare aborts the plan', async t => {
  const s = await stage(t);
  const [, b] = await cluster(s, ['gpu-a', 'gpu-b', 'gpu-c']);
  await s.settled(serves('faces', 'plates'));
  b!.manners.stuck = true;
  await drain(s, 'gpu-a');
  await s.clock.runUntilTrue(() => b!.residents.size > 0);
  const told = s.plans.length;
  b!.die();
  await s.settled(plan => plan.hosts.some(h => h.host === 'gpu-c'));
  t.is(s.plans.length, told + 1); // what gpu-b prepared for was never in force
});

test('allocator: a model that never gets ready aborts the plan, the old one stays, then others are tried', async t => {
  const s = await stage(t);
  const [a, b] = await cluster(s, ['gpu-a', 'gpu-b', 'gpu-c'], { prepareMs: 5000 });
  const { epoch } = await s.settled(serves('faces', 'plates'));
  b!.manners.stuck = true;
  await drain(s, 'gpu-a');
  await s.clock.runUntilTrue(() => b!.residents.size > 0);
  await s.clock.runFor(4000);
  t.is(s.plan.epoch, epoch);
  t.is(a!.residents.size, 2);
  await s.settled(plan => plan.epoch !== epoch);
  t.deepEqual(s.placement(), ['gpu-c: face, plate']);
  t.true(s.plan.epoch > epoch + 1); // the number of the plan that was given up is not used again
});

test('allocator: a model that no host can load is refused with the reason, the others are served', async t => {
  const s = await stage(t);
  const [a] = await cluster(s, ['gpu-a']);
  await s.settled(serves('faces', 'plates'));
  a!.manners.breaks = 'corrupt file';
  await s.model('logo');
  await s.query('logos', 'logo');
  await s.settled(plan => plan.refused.length > 0);
  t.regex(s.plan.refused[0]!.reason, /corrupt file/);
  t.true(serves('faces', 'plates')(s.plan));
});

test('allocator: the leader dies: a standby leads with a higher epoch and moves nothing', async t => {
  const s = await stage(t);
  const [a] = await cluster(s, ['gpu-a', 'gpu-b']);
  const before = await s.settled(serves('faces', 'plates'));
  await s.allocator('allocator-2');
  await s.clock.runFor(3000);
  t.is(s.beats.get('allocator-2')!.role, 'standby');
  const loads = loadsOrdered(a!);
  s.actors.find(x => x.id === 'allocator-1')!.kill();
  s.beats.delete('allocator-1');
  const after = await s.settled(plan => plan.nonce !== before.nonce);
  t.is(s.leader(), 'allocator-2');
  t.true(after.epoch > before.epoch);
  t.deepEqual(s.placement(after), s.placement(before));
  t.deepEqual(after.pools, before.pools);
  t.is(loadsOrdered(a!), loads);
  t.is(s.beats.get('allocator-2')!.modelsMoved, 0);
});

test('allocator: a leader that stops in good order is replaced at once', async t => {
  const s = await stage(t);
  await cluster(s, ['gpu-a']);
  await s.settled(serves('faces', 'plates'));
  await s.allocator('allocator-2');
  await s.clock.runFor(3000);
  const stopped = s.clock.nowMs();
  await s.clock.settle(s.actors.find(x => x.id === 'allocator-1')!.stop());
  await s.clock.runUntilTrue(() => s.beats.get('allocator-2')!.role === 'leader');
  t.true(s.clock.nowMs() - stopped < 2000);
});

test('allocator: a leader that comes back from the dark is fenced and stands by', async t => {
  const s = await stage(t);
  await cluster(s, ['gpu-a', 'gpu-b']);
  const before = await s.settled(serves('faces', 'plates'));
  await s.allocator('allocator-2');
  await s.clock.runFor(3000);
  s.network.disconnect('allocator-1');
  await s.clock.runUntilTrue(() => s.plan.nonce !== before.nonce);
  s.network.reconnect('allocator-1');
  await s.clock.runFor(5000);
  t.is(s.beats.get('allocator-1')!.role, 'standby');
  t.is(s.beats.get('allocator-2')!.role, 'leader');
  const { epoch } = s.plan;
  await s.clock.runFor(30_000);
  t.is(s.plan.epoch, epoch);
});

test('allocator: a host that obeyed a higher epoch is reached by a still higher one', async t => {
  const s = await stage(t);
  const [a, b] = await cluster(s, ['gpu-a', 'gpu-b']);
  await s.settled(serves('faces', 'plates'));
  const order = encode({ v: 1, epoch: 40, nonce: 'stranger', verb: 'release', keep: [] });
  await s.clock.settle(s.admin.request('ganglion.orders.gpu-b', order, { timeoutMs: 1000 }));
  await drain(s, 'gpu-a');
  await s.clock.runUntilTrue(() => a!.left());
  t.true(s.plan.epoch > 40);
  t.is(b!.residents.size, 2);
});

test('allocator: storage is away: the plan stays, loss is still answered, nobody else leads', async t => {
  const s = await stage(t);
  const [a] = await cluster(s, ['gpu-a', 'gpu-b']);
  await s.settled(serves('faces', 'plates'));
  await s.allocator('allocator-2');
  await s.clock.runFor(3000);
  s.network.storageAvailable = false;
  await s.clock.runFor(20_000);
  t.is(s.beats.get('allocator-1')!.role, 'leader');
  t.is(s.beats.get('allocator-2')!.role, 'standby');
  a!.die();
  await s.settled(plan => plan.hosts[0]?.host === 'gpu-b');
  s.network.storageAvailable = true;
  await s.clock.runFor(20_000);
  t.is(s.beats.get('allocator-1')!.role, 'leader');
  t.is(s.beats.get('allocator-2')!.role, 'standby');
});

test('allocator: queries come and go; what nobody needs is released', async t => {
  const s = await stage(t);
  const [a] = await cluster(s, ['gpu-a']);
  await s.settled(serves('faces', 'plates'));
  await s.unquery('plates');
  await s.settled(serves('faces'));
  await s.clock.runUntilTrue(() => a!.residents.size === 1);
  await s.query('plates', 'plate');
  await s.settled(serves('faces', 'plates'));
  await s.query('odd', 'nothing');
  await s.settled(plan => plan.refused.length === 1);
  t.regex(s.plan.refused[0]!.reason, /nothing is not applied/);
  await s.query('hasty', 'face', { objectiveMs: 5 });
  await s.settled(plan => plan.refused.length === 2);
  t.regex(s.plan.refused.find(r => r.query === 'hasty')!.reason, /nearest objective that can is \d+ ms/);
});

test('allocator: old and new do not fit together: what is not needed goes first', async t => {
  const s = await stage(t);
  await s.router('router-1');
  await s.batcher('batcher-1');
  const host = await s.host('gpu-a', { memoryMB: 1000 });
  await s.model('face', { persistentMB: 700 });
  await s.model('plate', { persistentMB: 700 });
  await s.query('faces', 'face');
  await s.allocator('allocator-1');
  await s.settled(serves('faces'));
  await s.unquery('faces');
  await s.query('plates', 'plate');
  await s.settled(serves('plates'));
  t.deepEqual([...host.residents.keys()], [`plate@${'0'.repeat(12)}`]);
  t.false(s.story.includes('gpu-a out of memory'));
});

test('allocator: the plan outlives a lost batcher, and another takes its pools', async t => {
  const s = await stage(t);
  const [a] = await cluster(s, ['gpu-a']);
  await s.settled(serves('faces', 'plates'));
  s.actors.find(x => x.id === 'batcher-1')!.kill();
  await s.clock.runFor(10_000);
  t.is(a!.residents.size, 2);
  t.is(s.plan.pools[0]!.batcher, 'batcher-1');
  await s.batcher('batcher-2');
  await s.settled(plan => plan.pools[0]?.batcher === 'batcher-2');
  t.is(s.beats.get('allocator-1')!.modelsMoved, 2);
});

test('allocator: only the leader answers', async t => {
  const s = await stage(t);
  await cluster(s, ['gpu-a']);
  await s.settled(serves('faces', 'plates'));
  await s.allocator('allocator-2');
  await s.clock.runFor(3000);
  const answers = s.admin.requestMany('ganglion.control.plan', encode({ v: 1 }), { waitMs: 500 });
  const replies = await s.clock.settle(answers);
  t.is(replies.length, 1);
  t.deepEqual(decode(replies[0]!.data), { v: 1, plan: s.plan });
});

test('allocator: an allocator that restarts alone knows the plan and moves nothing', async t => {
  const s = await stage(t);
  const [a] = await cluster(s, ['gpu-a', 'gpu-b']);
  const before = await s.settled(serves('faces', 'plates'));
  const loads = loadsOrdered(a!);
  s.actors.find(x => x.id === 'allocator-1')!.kill();
  s.beats.clear();
  await s.clock.runFor(60_000);
  await s.allocator('allocator-2');
  const after = await s.settled(plan => plan.nonce !== before.nonce);
  t.true(after.epoch > before.epoch);
  t.deepEqual(s.placement(after), s.placement(before));
  t.is(loadsOrdered(a!), loads);
});

test('allocator: nothing is released while a live router follows the old plan', async t => {
  const s = await stage(t);
  const [a, b] = await cluster(s, ['gpu-a', 'gpu-b'], { commitMs: 3000 });
  const { epoch } = await s.settled(serves('faces', 'plates'));
  s.deaf.add('router-1');
  await drain(s, 'gpu-a');
  await s.clock.runUntilTrue(() => s.plan.epoch > epoch);
  await s.clock.runFor(20_000);
  t.is(b!.residents.size, 2);
  t.is(a!.residents.size, 2);
  s.deaf.clear();
  await s.clock.runUntilTrue(() => a!.left());
});

test('allocator: malformed documents and foreign messages are ignored, the rest is served', async t => {
  const s = await stage(t);
  const bucket = await s.bucket(BUCKETS.config);
  await bucket.put('queries.default.broken', encode('not a query'));
  await bucket.put('models.broken', new TextEncoder().encode('{"v":1}'));
  await cluster(s, ['gpu-a']);
  s.admin.publish('ganglion.beats.host.gpu-z', encode({ v: 1, state: 'ready' }));
  s.admin.publish('ganglion.plans', encode({ v: 7 }));
  await s.settled(serves('faces', 'plates'));
  t.deepEqual(s.plan.refused, []);
});
