import test from 'ava';
import { encode } from '../../bus/index.ts';
import type { Plan } from '../../contracts/index.ts';
import { stage, type HostRole, type Stage } from './roles.ts';

const MODELS = { face: 300, older: 400, plate: 400 };
const idOf = (name: string): string => `${name}@${'0'.repeat(12)}`;

/**
 * A host of 1 GB holds `face`, by the plan that is stored, and `older`, by one that never was: its leader was cut off from storage and died.
 * For `plate`, which is applied now, there is no room beside the two.
 */
async function withUnstoredPlan(s: Stage): Promise<{ gpu: HostRole; unstored: Plan }> {
  await s.router('router-1');
  await s.batcher('batcher-1');
  const gpu = await s.host('gpu-a', { memoryMB: 1000 });
  for (const [name, persistentMB] of Object.entries(MODELS)) await s.model(name, { persistentMB, ephemeralMB: 1 });
  await s.query('faces', 'face');
  await s.allocator('allocator-1');
  const stored = await s.settled(plan => plan.queries.length === 1);
  s.network.disconnect('allocator-1');
  s.actors.find(({ id }) => id === 'allocator-1')!.kill();
  s.beats.clear();
  const [face] = gpu.residents.values();
  gpu.residents.set(idOf('older'), { ...face!, model: idOf('older'), persistentBytes: MODELS.older * 1e6 });
  await s.query('plates', 'plate');
  const [host] = stored.hosts;
  const models = [...host!.models, { ...host!.models[0]!, model: idOf('older') }];
  return { gpu, unstored: { ...stored, epoch: stored.epoch + 1, hosts: [{ ...host!, models }] } };
}

const announce = (s: Stage, plan: Plan): void => void s.admin.publish('ganglion.plans', encode(plan));

/** The new leader's first plan is followed before anything goes; then both queries are served. */
async function safelyServed(s: Stage): Promise<{ inOrder: boolean; story: string }> {
  const plan = await s.settled(({ queries }) => queries.length === 2);
  const own = s.plans.find(({ nonce }) => nonce === plan.nonce)!;
  const followed = s.story.indexOf(`batcher-1 follows ${own.epoch}`);
  const released = s.story.findIndex(line => line.startsWith('gpu-a release'));
  const inOrder = followed >= 0 && released > followed && !s.story.includes('gpu-a out of memory');
  return { inOrder, story: s.story.join('\n') };
}

test('releases: a new leader that knows an older plan than is followed takes nothing away before its own is', async t => {
  const s = await stage(t);
  const { gpu, unstored } = await withUnstoredPlan(s);
  announce(s, unstored);
  await s.clock.runFor(500);
  t.true(s.story.includes(`batcher-1 follows ${unstored.epoch}`));
  await s.allocator('allocator-2');
  const { inOrder, story } = await safelyServed(s);
  t.true(inOrder, story);
  t.deepEqual([...gpu.residents.keys()].toSorted(), [idOf('face'), idOf('plate')]);
});

test('releases: nor while such a plan may still be on its way', async t => {
  const s = await stage(t);
  const { unstored } = await withUnstoredPlan(s);
  await s.allocator('allocator-2');
  await s.clock.runUntilTrue(() => s.beats.get('allocator-2')?.phase === 'preparing');
  announce(s, unstored);
  const { inOrder, story } = await safelyServed(s);
  t.true(inOrder, story);
});

test('releases: a leader that has just started takes nothing away before it has heard all who are there', async t => {
  const s = await stage(t);
  await s.router('router-1');
  await s.batcher('batcher-1');
  const gpu = await s.host('gpu-a', { memoryMB: 1000 });
  for (const [name, persistentMB] of Object.entries(MODELS)) await s.model(name, { persistentMB, ephemeralMB: 1 });
  const facts = { lane: 0, persistentBytes: 8e8, ephemeralBytes: 0, queued: 0, batches: [1] };
  gpu.residents.set(idOf('older'), { ...facts, model: idOf('older'), state: 'resident' });
  await s.query('faces', 'face');
  const startedMs = s.clock.nowMs();
  await s.allocator('allocator-1', { gatherMs: 100 });
  await s.clock.runUntilTrue(() => s.story.some(line => line.startsWith('gpu-a release')));
  t.true(s.clock.nowMs() - startedMs > 3000, `after ${s.clock.nowMs() - startedMs} ms`);
  await s.settled(plan => plan.queries.length === 1);
});
