import test, { type ExecutionContext } from 'ava';
import type { Outline } from '../../contracts/index.ts';
import { Cluster, planOf } from './cluster.ts';

type Granted = Outline & { readonly to: string };

async function start(t: ExecutionContext, hosts: readonly string[] = ['gpu-a', 'gpu-b']): Promise<Cluster> {
  const cluster = new Cluster(t);
  const { pools, hosts: planned } = planOf(1);
  const change = { pools: [{ ...pools[0]!, hosts: [...hosts] }], hosts: hosts.map(host => ({ ...planned[0]!, host })) };
  await cluster.start({}, planOf(1, change));
  for (const host of hosts) cluster.beat(host);
  await cluster.run(1);
  return cluster;
}

/** The hosts run what they are granted, one batch after the other; answers in which order batches started and ended. */
async function work(cluster: Cluster, ms: number): Promise<{ began: Granted[]; together: Granted[][] }> {
  const running = new Map<string, { outline: Granted; endMs: number }>();
  const began: Granted[] = [];
  const together: Granted[][] = [];
  let taken = 0;
  const pending: Granted[] = [];
  const untilMs = cluster.clock.nowMs() + ms;
  while (cluster.clock.nowMs() < untilMs) {
    pending.push(...cluster.outlines.slice(taken));
    taken = cluster.outlines.length;
    for (const [host, { outline, endMs }] of running)
      if (endMs <= cluster.clock.nowMs()) {
        running.delete(host);
        cluster.progress(outline, 'finished');
      }
    for (const outline of pending.slice()) {
      const before = running.get(outline.to);
      together.push(before ? [outline, before.outline] : [outline]);
      if (running.has(outline.to)) continue;
      pending.splice(pending.indexOf(outline), 1);
      running.set(outline.to, { outline, endMs: cluster.clock.nowMs() + outline.expectedMs });
      began.push(outline);
      cluster.progress(outline, 'started');
    }
    await cluster.run(1);
  }
  return { began, together };
}

test('alone: each runs with nothing else granted to its host, and ordinary batches take turns with them', async t => {
  const cluster = await start(t, ['gpu-a']);
  const apart = new Set(cluster.offer(6, { alone: true, budgetMs: 2000 }));
  cluster.offer(60, { budgetMs: 2000 });
  const { began, together } = await work(cluster, 600);
  const isApart = ({ ids }: Granted): boolean => ids.some(id => apart.has(id));
  t.is(began.flatMap(({ ids }) => ids).length, 66, 'all have run');
  t.true(began.filter(isApart).every(({ ids }) => ids.length === 1));
  t.true(together.every(both => both.length === 1 || !both.some(isApart)));
  const kinds = began.map(outline => (isApart(outline) ? 'a' : 'o')).join('');
  t.notRegex(kinds.slice(0, kinds.lastIndexOf('o')), /aa/, kinds);
});

test('alone: at most half of the hosts are kept for them while others wait', async t => {
  const cluster = await start(t, ['gpu-a', 'gpu-b', 'gpu-c', 'gpu-d']);
  const apart = new Set(cluster.offer(20, { alone: true, budgetMs: 2000 }));
  await cluster.run(1);
  t.is(cluster.granted().filter(id => apart.has(id)).length, 2);
  cluster.offer(60);
  await cluster.run(1);
  t.is(new Set(cluster.outlines.filter(({ ids }) => !apart.has(ids[0]!)).map(({ to }) => to)).size, 2);
});

test('alone: what can not be in time is dropped, what is withdrawn is forgotten, what waits is handed back at a stop', async t => {
  const cluster = await start(t, ['gpu-a']);
  const [first, hopeless, withdrawn, waiting] = [
    ...cluster.offer(1, { alone: true, budgetMs: 900 }),
    ...cluster.offer(1, { alone: true, budgetMs: 5 }),
    ...cluster.offer(1, { alone: true, budgetMs: 900 }),
    ...cluster.offer(1, { alone: true, budgetMs: 950 }),
  ];
  await cluster.run(2);
  t.deepEqual(cluster.granted(), [first!]);
  t.deepEqual(cluster.dropped('budget'), [hopeless!]);
  cluster.withdraw([withdrawn!]);
  await cluster.run(1);
  cluster.publish(planOf(2, { pools: [], sessions: [] }));
  await cluster.run(1);
  t.deepEqual(cluster.refused('unknown-session'), [waiting!]);
});

test('alone: a plan that changes keeps them apart', async t => {
  const cluster = await start(t);
  cluster.beat('gpu-b', { state: 'leaving' });
  const ids = cluster.offer(3, { alone: true, budgetMs: 2000 });
  await cluster.run(1);
  cluster.publish(planOf(2));
  await cluster.run(1);
  t.is(cluster.granted().length, 1);
  await work(cluster, 200);
  t.deepEqual(new Set(cluster.granted()), new Set(ids));
  t.true(cluster.outlines.every(outline => outline.ids.length === 1));
});
