import test from 'ava';
import { beside, makePlan, type HostView, type PlannerInput } from '../../allocator/index.ts';
import type { Plan, QueryDocument } from '../../contracts/index.ts';
import { draft, holding, inForce } from './drafts.ts';
import { linear, profileOf } from './profiles.ts';

const MB = 1e6;
const MODELS = ['detector', 'reader', 'tagger'];
const host = (name: string, memoryMB = 400): HostView => ({
  host: name,
  kind: 'k',
  memoryBytes: memoryMB * MB,
  holds: [],
  barred: new Map(),
});
const query = (name: string, ...models: string[]): QueryDocument => ({
  kind: 'Query',
  name,
  objectiveMs: 200,
  rateHz: 10,
  stages: Object.fromEntries(models.map((model, i) => [model, { model, ...(i > 0 && { from: models[i - 1]! }) }])),
});
const input = (queries: readonly QueryDocument[], hosts: readonly HostView[]): PlannerInput => ({
  models: new Map(MODELS.map(id => [id, { id, batchMax: 8 }])),
  queries,
  rateHz: () => undefined,
  profiles: MODELS.map(id => profileOf(id, linear(1, 5, 8), { persistentBytes: 100 * MB })),
  hosts,
  batchers: ['b'],
  current: undefined,
  settings: { policy: 'pooled', networkMs: 3, replicasMin: 1 },
});
const asInForce = (made: PlannerInput): Plan => ({ v: 1, epoch: 1, nonce: 'n', ...makePlan(made).draft });
const holds = (plan: Plan): ReturnType<typeof holding> =>
  holding(Object.fromEntries(plan.hosts.map(h => [h.host, h.models.map(({ model }) => model)])));

test('beside: what is not served goes to hosts that are not used, with a pool of its own, and the rest stays', t => {
  const [tags, traffic] = [query('tags', 'detector', 'tagger'), query('traffic', 'detector', 'reader')];
  const now = asInForce(input([tags], [host('a')]));
  const wanted = beside(now, input([tags, traffic], [host('a'), host('b')]), holds(now))!;
  t.deepEqual(wanted.hosts.slice(0, now.hosts.length), now.hosts);
  t.deepEqual(
    wanted.hosts.slice(now.hosts.length).map(h => [h.host, h.models.map(({ model }) => model).toSorted()]),
    [['b', ['detector', 'reader']]],
  );
  t.deepEqual(wanted.refused, []);
  t.is(new Set(wanted.pools.map(({ pool }) => pool)).size, wanted.pools.length);
  for (const { stages } of wanted.queries) {
    for (const { session, pool } of stages)
      t.true(wanted.pools.find(one => one.pool === pool)!.sessions.includes(session));
  }
  const keys = wanted.profiles.map(({ model, device }) => `${model} ${device}`);
  t.is(new Set(keys).size, keys.length);
  t.true(MODELS.every(model => keys.includes(`${model} k`)));
});

test('beside: nothing, where all is served, no host is free, or none that is can serve more', t => {
  const [tags, traffic] = [query('tags', 'tagger'), query('traffic', 'reader')];
  const now = asInForce(input([tags], [host('a')]));
  t.is(beside(now, input([tags], [host('a'), host('b')]), holds(now)), undefined);
  t.is(beside(now, input([tags, traffic], [host('a')]), holds(now)), undefined);
  t.is(beside(now, input([tags, traffic], [host('a'), host('b', 50)]), holds(now)), undefined);
});

test('beside: what stays refused says why, and what is served now is not refused any more', t => {
  const refused = [
    { tenant: 'default', query: 'traffic', reason: 'its models are loaded as soon as others are released' },
  ];
  const now: Plan = { ...asInForce(input([query('tags', 'tagger')], [host('a')])), refused };
  const queries = [query('tags', 'tagger'), query('traffic', 'reader'), query('more', 'nobody')];
  const wanted = beside(now, input(queries, [host('a'), host('b')]), holds(now))!;
  t.deepEqual(
    wanted.refused.map(r => r.query),
    ['more'],
  );
  t.true(wanted.queries.some(q => q.query === 'traffic'));
});

test('beside: a query whose host is gone is planned anew on one that is free', t => {
  const now = inForce({ a: ['detector'], b: ['reader'] });
  const queries = draft({ a: ['detector'], b: ['reader'] }).queries.map(q => ({
    ...query(q.query, q.query),
    tenant: 't',
  }));
  const wanted = beside(now, input(queries, [host('a'), host('c')]), holding({ a: ['detector'] }))!;
  t.deepEqual(
    wanted.hosts.map(h => [h.host, h.models.map(({ model }) => model)]),
    [
      ['a', ['detector']],
      ['c', ['reader']],
    ],
  );
  t.deepEqual(wanted.refused, []);
});
