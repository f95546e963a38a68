import test from 'ava';
import { prefixId, suffixId, type Plan } from '../../contracts/index.ts';
import { Cluster, planOf, profileOf } from './cluster.ts';

const CUT = '0123456789ab';
const TRUNK = prefixId(CUT);
const MODELS = ['score', 'clock'].map((name, i) => `${name}@00000000000${i}`);
const [SCORE, CLOCK] = MODELS.map(model => suffixId(model, CUT)) as [string, string];
const session = (model: string): string => `default/${model.split('@')[0]}`;

/** Two models, whole or behind their trunk, on one host. A suffix takes 0.5b + 1 beside the trunk's 2b + 8. */
function plan(epoch: number, grouped: boolean): Plan {
  const held = (model: string, of?: string) => ({
    model,
    lane: 0,
    batches: [1, 8],
    batchMax: 8,
    ...(of === undefined ? {} : { of }),
  });
  const points = [1, 8].map(batch => {
    const meanMs = 0.5 * batch + 1;
    return { batch, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: 0, repeats: 10 };
  });
  return planOf(epoch, {
    pools: [
      {
        pool: 'pool-0',
        batcher: 'batcher-1',
        hosts: ['gpu-a'],
        sessions: MODELS.map(session),
        groups: grouped ? [{ prefix: TRUNK, members: MODELS }] : [],
      },
    ],
    hosts: [
      {
        host: 'gpu-a',
        kind: 'gpu',
        models: grouped ? [held(TRUNK, MODELS[0]), held(SCORE), held(CLOCK)] : MODELS.map(model => held(model)),
      },
    ],
    sessions: MODELS.map((model, i) => {
      const objectiveMs = 100 + 200 * i;
      return { name: session(model), tenant: 'default', model, objectiveMs, rateHz: 50, prefer: 'latency' as const };
    }),
    profiles: [TRUNK, ...MODELS].map(profileOf).concat([SCORE, CLOCK].map(part => ({ ...profileOf(part), points }))),
  });
}

test('groups: offers of several models become one batch; its outline names the suffixes', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, plan(1, true));
  cluster.beat('gpu-a', {}, [TRUNK, SCORE, CLOCK]);
  await cluster.run(1);
  cluster.offer(1, { session: session(MODELS[0]!) });
  await cluster.run(1);
  cluster.offer(2, { session: session(MODELS[0]!), budgetMs: 100 });
  cluster.offer(1, { session: session(MODELS[1]!), budgetMs: 300 });
  const [alone] = cluster.outlines;
  t.deepEqual(alone!.models, [SCORE]);
  cluster.progress(alone!, 'started');
  await cluster.run(11.5);
  cluster.progress(alone!, 'finished');
  await cluster.run(5);
  const mixed = cluster.outlines[1]!;
  t.deepEqual(
    mixed.model.map(index => mixed.models[index]!),
    [SCORE, SCORE, CLOCK],
  );
  t.is(mixed.expectedMs, 2 * 3 + 8 + 2 + 1.5);
  await cluster.run(1000);
  t.like(cluster.beats.at(-1)!.pools[0], { granted: 4, batches: 2, mixed: 1 });
});

test('groups: a host that lacks the prefix, or a suffix, gets no such batch', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, plan(1, true));
  cluster.beat('gpu-a', {}, [SCORE, CLOCK]);
  await cluster.run(1);
  cluster.offer(1, { session: session(MODELS[0]!) });
  cluster.offer(1, { session: session(MODELS[1]!) });
  await cluster.run(5);
  t.deepEqual(cluster.outlines, []);
  cluster.beat('gpu-a', {}, [TRUNK, CLOCK]);
  await cluster.run(5);
  t.deepEqual(
    cluster.outlines.map(({ models }) => models),
    [[CLOCK]],
  );
});

test('groups: models move into a group while requests wait, and none is lost', async t => {
  const cluster = new Cluster(t);
  await cluster.start({}, plan(1, false));
  cluster.beat('gpu-a', {}, [...MODELS, TRUNK, SCORE, CLOCK]);
  await cluster.run(1);
  cluster.offer(1, { session: session(MODELS[0]!) });
  await cluster.run(1);
  const [whole] = cluster.outlines;
  t.deepEqual(whole!.models, [MODELS[0]!]);
  cluster.progress(whole!, 'started');
  const waiting = [
    ...cluster.offer(2, { session: session(MODELS[0]!) }),
    ...cluster.offer(2, { session: session(MODELS[1]!) }),
  ];
  await cluster.run(1);
  cluster.publish(plan(2, true));
  await cluster.run(8);
  cluster.progress(whole!, 'finished');
  await cluster.run(3);
  const mixed = cluster.outlines[1]!;
  t.deepEqual(mixed.models, [SCORE, CLOCK]);
  t.deepEqual(new Set(mixed.ids), new Set(waiting));
  t.deepEqual(
    cluster.verdicts.flatMap(({ drops, refused }) => [...drops, ...refused]),
    [],
  );
});
