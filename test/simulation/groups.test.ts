import test, { type ExecutionContext } from 'ava';
import { decode, encode, encodeJson } from '../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  DEFAULT_PREFIX,
  prefixId,
  suffixId,
  subjects,
  type BatcherBeat,
  type HostBeat,
  type ModelDocument,
  type Order,
  type OrderReply,
  type Plan,
  type Profile,
} from '../../contracts/index.ts';
import { declaredCut } from '../../gpu-host/index.ts';
import { idOf, World } from './world.ts';

const VARIANTS = 20;
const BATCH_MAX = 16;
const RATE_HZ = 8;
/** ℓ(b) = 0.65b + 8.2, of which 0.6b + 8 are the trunk's: the variants differ in their last layer. */
const variant = (index: number): ModelDocument => ({
  kind: 'Model',
  name: `reader-${index}`,
  version: '1',
  file: `reader-${index}.onnx`,
  licence: 'none',
  source: 'emulated',
  preprocess: { kind: 'picture', width: 320, height: 48, fit: 'stretch' },
  postprocess: { kind: 'classes', labels: [`of reader-${index}`] },
  batchMax: BATCH_MAX,
  emulation: {
    alphaMs: 0.65,
    betaMs: 8.2,
    persistentMB: 100,
    ephemeralMBPerItem: 4,
    prefix: { name: 'trunk', alphaMs: 0.6, betaMs: 8, persistentMB: 97 },
  },
});
const documents = Array.from({ length: VARIANTS }, (_, i) => variant(i));
const models = documents.map(idOf);
const { cut } = declaredCut(documents[0]!)!;
const TRUNK = prefixId(cut);
const objectiveMs = (index: number): number => 80 + 20 * (index % 4);

function profile(model: string, alphaMs: number, betaMs: number, persistentBytes: number): Profile {
  const points = [1, BATCH_MAX].map(batch => {
    const meanMs = alphaMs * batch + betaMs;
    return { batch, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: 4e6 * batch, repeats: 10 };
  });
  return { v: 1, model, device: 'emulated', emulated: true, points, persistentBytes, loadMs: 0, preMs: 0, postMs: 0 };
}

/** All variants on `gpu-1`: whole, or behind their trunk. */
function planOf(epoch: number, members: readonly string[], grouped: boolean): Plan {
  const held = (model: string) => ({ model, lane: 0, batches: [1, BATCH_MAX], batchMax: BATCH_MAX });
  const session = (model: string): string => `default/${model.split('@')[0]}`;
  const index = (model: string): number => models.indexOf(model);
  const budgetMs = (model: string): number => objectiveMs(index(model));
  const suffixes = members.map(model => suffixId(model, cut));
  return {
    v: 1,
    epoch,
    nonce: 'by-hand',
    policy: 'by hand',
    pools: [
      {
        pool: 'pool-0',
        batcher: 'batcher-1',
        hosts: ['gpu-1'],
        sessions: members.map(session),
        groups: grouped ? [{ prefix: TRUNK, members: [...members] }] : [],
      },
    ],
    hosts: [
      {
        host: 'gpu-1',
        kind: 'emulated',
        models: grouped ? [{ ...held(TRUNK), of: members[0]! }, ...suffixes.map(held)] : members.map(held),
      },
    ],
    sessions: members.map(model => {
      const rates = { objectiveMs: budgetMs(model), rateHz: RATE_HZ, prefer: 'latency' as const };
      return { name: session(model), tenant: 'default', model, ...rates };
    }),
    queries: members.map(model => ({
      tenant: 'default',
      query: `query-${index(model)}`,
      stages: [
        {
          stage: 'read',
          session: session(model),
          pool: 'pool-0',
          budgetMs: budgetMs(model),
          reserveMs: 0,
          reserveMinMs: 0,
        },
      ],
    })),
    refused: [],
    profiles: grouped
      ? [profile(TRUNK, 0.6, 8, 97e6), ...suffixes.map(suffix => profile(suffix, 0.05, 0.2, 3e6))]
      : members.map(model => profile(model, 0.65, 8.2, 100e6)),
  };
}

/** A cluster without an allocator: the test says what is held and what is in force. */
async function cluster(t: ExecutionContext) {
  const world = new World(11);
  t.teardown(() => world.stopAll());
  const { clock } = world;
  const leader = world.network.connect('leader');
  let host: HostBeat | undefined;
  let batcher: BatcherBeat | undefined;
  leader.subscribe(subjects.hostBeats.at(DEFAULT_PREFIX), ({ data }) => (host = decode(data) as HostBeat));
  leader.subscribe(subjects.batcherBeats.at(DEFAULT_PREFIX), ({ data }) => (batcher = decode(data) as BatcherBeat));
  const order = async (order: object): Promise<OrderReply> => {
    const said = { v: 1, epoch: 1, nonce: 'by-hand', ...order } as Order;
    const at = subjects.orders.at(DEFAULT_PREFIX, { host: 'gpu-1' });
    return decode((await clock.settle(leader.request(at, encode(said), { timeoutMs: 1000 }))).data) as OrderReply;
  };
  const bucket = await clock.settle(leader.keyValue(bucketName(DEFAULT_PREFIX, BUCKETS.plan)));
  const commit = async (plan: Plan): Promise<void> => {
    await clock.settle(bucket.put('current', encodeJson(plan)));
    leader.publish(subjects.plans.at(DEFAULT_PREFIX), encode(plan));
  };
  const arrived = (plan: Plan) =>
    clock.runUntilTrue(() =>
      plan.hosts[0]!.models.every(({ model }) => host?.residents.find(r => r.model === model)?.state === 'resident'),
    );
  await world.apply(
    ...documents,
    ...documents.map(({ name }, i) => ({
      kind: 'Query' as const,
      name: `query-${i}`,
      streams: [`cam-${i}`],
      objectiveMs: objectiveMs(i),
      stages: { read: { model: name } },
    })),
  );
  await world.host('gpu-1', { memoryMB: 400 });
  return { world, clock, order, commit, arrived, host: () => host!, batcher: () => batcher! };
}

const streams = (from: number, to: number) =>
  documents.slice(from, to).map((_, i) => {
    const seed = from + i;
    return {
      kind: 'Stream' as const,
      name: `cam-${seed}`,
      source: { kind: 'synthetic' as const, seed },
      rateHz: RATE_HZ,
    };
  });

test('simulated groups: twenty variants of one model on one device, which whole ones would not fit', async t => {
  const { world, clock, order, commit, arrived, host, batcher } = await cluster(t);
  const whole = await order({ verb: 'prepare', models: planOf(1, models, false).hosts[0]!.models });
  t.like(whole, { accepted: false, reason: 'memory' });
  const plan = planOf(1, models, true);
  t.true((await order({ verb: 'prepare', models: plan.hosts[0]!.models })).accepted);
  await arrived(plan);
  t.is(host().persistentBytes, 97e6 + VARIANTS * 3e6);
  await commit(plan);
  await world.batcher('batcher-1');
  await world.router('router-1');
  await world.sampler('sampler-1');
  await clock.runFor(500);
  await world.apply(...streams(0, VARIANTS));
  await clock.runFor(10_000);
  const rateHz = VARIANTS * RATE_HZ;
  t.true(world.results.length > 8 * rateHz, `${world.results.length} results`);
  t.is(world.count('ok'), world.results.length);
  for (const { query, stages } of world.results) {
    const [answer] = stages['read']!;
    const index = Number(query.split('-')[1]);
    t.is(answer!.model, models[index]!);
    t.deepEqual(answer!.output, {
      kind: 'classes',
      classes: [{ index: 0, label: `of reader-${index}`, score: 0.9 }],
    });
  }
  const { granted, batches, mixed = 0 } = batcher().pools[0]!;
  t.true(granted / batches > 1.5 && mixed > batches / 3, `${granted} in ${batches} batches, ${mixed} mixed`);
  // One after the other the variants would need 160 × 8.85 ms a second.
  t.true(host().busyMs / 10_000 < 0.99);
});

test('simulated groups: variants join and leave while frames flow, and nothing is lost', async t => {
  const { world, clock, order, commit, arrived, host } = await cluster(t);
  const first = planOf(1, models.slice(0, 4), true);
  await order({ verb: 'prepare', models: first.hosts[0]!.models });
  await arrived(first);
  await commit(first);
  await world.batcher('batcher-1');
  await world.router('router-1');
  await world.sampler('sampler-1');
  await clock.runFor(500);
  await world.apply(...streams(0, 8));
  await clock.runFor(3000);
  const second = planOf(2, models.slice(2, 8), true);
  await order({ verb: 'prepare', models: second.hosts[0]!.models.slice(3), epoch: 2 });
  await arrived(second);
  await commit(second);
  await clock.runFor(500);
  await order({ verb: 'release', keep: second.hosts[0]!.models.map(({ model }) => model), epoch: 2 });
  await clock.runFor(3000);
  t.is(host().residents.length, 7);
  const served = new Set(second.queries.map(({ query }) => query));
  const stayed = world.results.filter(({ query }) => query === 'query-2' || query === 'query-3');
  t.true(stayed.length > 2 * 6 * RATE_HZ - 10);
  t.true(
    stayed.every(({ outcome }) => outcome === 'ok'),
    'those that stayed noticed nothing',
  );
  const late = world.results.slice(-40).filter(({ query }) => served.has(query));
  t.true(late.length > 0 && late.every(({ outcome }) => outcome === 'ok'));
  t.true(world.open.length <= 16, `${world.open.length} on their way`);
});

test('simulated groups: an allocator finds the group, has its parts measured and moves the variants into it', async t => {
  const world = new World(12);
  t.teardown(() => world.stopAll());
  t.teardown(() => {
    if (!t.passed) t.log(world.logged.slice(-40).join('\n'));
  });
  const { clock } = world;
  const few = documents.slice(0, 4);
  await world.apply(
    ...few,
    ...few.map(({ name }, i) => ({
      kind: 'Query' as const,
      name: `query-${i}`,
      streams: [`cam-${i}`],
      objectiveMs: 150,
      rateHz: RATE_HZ,
      stages: { read: { model: name } },
    })),
  );
  await world.allocator('allocator-1');
  await world.batcher('batcher-1');
  await world.host('gpu-1', { memoryMB: 2000 });
  await world.router('router-1');
  await world.sampler('sampler-1');
  await clock.runUntilTrue(() => world.plan?.queries.length === 4, 300_000);
  await world.apply(...streams(0, 4));
  await clock.runUntilTrue(() => world.plan!.pools.some(({ groups }) => groups.length > 0), 600_000);
  const [pool] = world.plan!.pools;
  t.deepEqual(pool!.groups, [{ prefix: TRUNK, members: models.slice(0, 4).toSorted() }]);
  await clock.runFor(5_000);
  t.true(world.results.length > 5 * 4 * RATE_HZ * 0.8, `${world.results.length} results`);
  const bad = world.results.filter(({ outcome }) => outcome !== 'ok');
  t.true(bad.length < 0.02 * world.results.length, `${bad.length} of ${world.results.length} were not in time`);
  const late = world.results.slice(-100);
  t.is(late.filter(({ outcome }) => outcome === 'ok').length, late.length);
});
