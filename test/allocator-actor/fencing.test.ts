import test, { type ExecutionContext } from 'ava';
import { decode, encode } from '../../bus/index.ts';
import type { OrderReply } from '../../contracts/index.ts';
import { stage, type HostRole, type Stage } from './roles.ts';

/** Two hosts, the first of which serves `faces`; its leader has just died. */
async function withoutLeader(t: ExecutionContext): Promise<{ s: Stage; gpu: HostRole }> {
  const s = await stage(t);
  await s.router('router-1');
  await s.batcher('batcher-1');
  const gpu = await s.host('gpu-a');
  await s.host('gpu-b');
  await s.model('face');
  await s.query('faces', 'face');
  await s.allocator('allocator-1');
  await s.settled(plan => plan.queries.length === 1);
  t.deepEqual(s.placement(), ['gpu-a: face']);
  s.actors.find(({ id }) => id === 'allocator-1')!.kill();
  s.beats.clear();
  return { s, gpu };
}

test('fencing: what a leader ordered comes too late once the next one has a plan in force, though that one had nothing to load', async t => {
  const { s, gpu } = await withoutLeader(t);
  const before = s.plan;
  await s.allocator('allocator-2');
  await s.settled(({ nonce }) => nonce !== before.nonce);
  const { epoch, nonce } = before;
  const order = encode({ v: 1, epoch, nonce, verb: 'release', keep: [] });
  const answer = await s.clock.settle(s.admin.request('ganglion.orders.gpu-a', order, { timeoutMs: 1000 }));
  const reply = decode(answer.data) as OrderReply;
  t.is(reply.accepted || reply.reason, 'fenced');
  t.is(gpu.residents.size, 1);
});

test('fencing: a host that does not obey a new leader keeps its plan waiting for `commitMs`, and serves on', async t => {
  const { s, gpu } = await withoutLeader(t);
  gpu.manners.busy = true;
  await s.allocator('allocator-2', { commitMs: 2000 });
  const waits = (): boolean => s.beats.get('allocator-2')?.waitingFor.includes('gpu-a to obey a new leader') ?? false;
  await s.clock.runUntilTrue(waits);
  const sinceMs = s.clock.nowMs();
  await s.clock.runUntilTrue(() => s.plan.epoch > 1000);
  t.true(Math.abs(s.clock.nowMs() - sinceMs - 2000) < 500);
  t.deepEqual(s.placement(), ['gpu-a: face']);
});
