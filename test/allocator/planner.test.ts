import test from 'ava';
import fc from 'fast-check';
import { curveOf, makePlan, samePlan, type Draft, type HostView, type PlannerInput } from '../../allocator/index.ts';
import type { Plan, Profile, QueryDocument } from '../../contracts/index.ts';
import { linear, profileOf } from './profiles.ts';

const MB = 1e6;
interface World {
  readonly profiles: readonly Profile[];
  readonly queries: readonly QueryDocument[];
  readonly hosts: readonly HostView[];
  readonly current?: Plan;
  readonly replicasMin?: number;
}

const host = (name: string, facts: Partial<HostView> = {}): HostView => ({
  host: name,
  kind: 'k',
  memoryBytes: 4000 * MB,
  holds: [],
  barred: new Map(),
  ...facts,
});
const model = (name: string, alphaMs: number, betaMs: number, persistentMB = 500, device = 'k'): Profile =>
  profileOf(name, linear(alphaMs, betaMs), {
    device,
    persistentBytes: persistentMB * MB,
    ephemeralBytesPerItem: 10 * MB,
  });
const query = (name: string, stages: QueryDocument['stages'], facts: Partial<QueryDocument> = {}): QueryDocument => ({
  kind: 'Query',
  name,
  objectiveMs: 200,
  rateHz: 20,
  stages,
  ...facts,
});
const input = (world: World): PlannerInput => ({
  models: new Map(world.profiles.map(p => [p.model, { id: p.model, batchMax: 32 }])),
  queries: world.queries,
  rateHz: () => undefined,
  profiles: world.profiles,
  hosts: world.hosts,
  batchers: ['b-1', 'b-2'],
  current: world.current,
  settings: { networkMs: 3, replicasMin: world.replicasMin ?? 1 },
});
const plan = (world: World): Draft => makePlan(input(world)).draft;
const placement = (draft: Draft): string[] =>
  draft.hosts.map(h => `${h.host}: ${h.models.map(m => m.model).join(' ')}`);
/** The same world once the plan is in force. */
const after = (world: World, draft: Draft): World => ({
  ...world,
  current: { v: 1, epoch: 1, nonce: 'n', ...draft },
  hosts: world.hosts.map(h => ({
    ...h,
    holds: draft.hosts.find(p => p.host === h.host)?.models.map(m => m.model) ?? [],
  })),
});

test('plan: a query of two stages shares its objective out, and says what is reserved for the second', t => {
  const world: World = {
    profiles: [model('ssd', 3, 6), model('face', 3.4, 2)],
    queries: [
      query('q', { find: { model: 'ssd' }, who: { model: 'face', from: 'find', fanout: 4 } }, { objectiveMs: 400 }),
    ],
    hosts: [host('a'), host('b')],
  };
  const { queries, sessions, refused } = plan(world);
  t.deepEqual(refused, []);
  const [find, who] = [
    queries[0]!.stages.find(s => s.stage === 'find')!,
    queries[0]!.stages.find(s => s.stage === 'who')!,
  ];
  t.is(Math.round(find.budgetMs + who.budgetMs), 400);
  t.is(find.reserveMs, who.budgetMs);
  t.is(who.reserveMs, 0);
  t.is(sessions.find(s => s.name === 'default.q.who')!.rateHz, 80);
});

test('plan: what can not be is refused, with the reason and the remedy', t => {
  const world: World = {
    profiles: [model('m', 1, 20), model('huge', 1, 20, 5000)],
    queries: [
      query('fast', { one: { model: 'm' } }, { objectiveMs: 15 }),
      query('big', { one: { model: 'huge' } }),
      query('circle', { one: { model: 'm', from: 'two' }, two: { model: 'm', from: 'one' } }),
      query('dangling', { one: { model: 'm', from: 'zero' } }),
      query('stranger', { one: { model: 'nobody' } }),
      query('fine', { one: { model: 'm' } }),
    ],
    hosts: [host('a')],
  };
  const draft = plan(world);
  const reason = (name: string): string => draft.refused.find(r => r.query === name)!.reason;
  const nearest = Number(/nearest objective that can is (\d+) ms/.exec(reason('fast'))![1]);
  t.regex(reason('big'), /huge needs 5010 MB, a host has 4000 MB/);
  t.regex(reason('circle'), /circle/);
  t.regex(reason('dangling'), /zero, which is no stage/);
  t.regex(reason('stranger'), /nobody is not applied/);
  t.deepEqual(
    draft.queries.map(q => q.query),
    ['fine'],
  );
  const again = plan({ ...world, queries: [query('fast', { one: { model: 'm' } }, { objectiveMs: nearest })] });
  t.deepEqual(again.refused, []);
});

test('plan: no profile on any kind of device refuses, one on some kind does', t => {
  const world: World = {
    profiles: [model('m', 1, 5, 500, 'other')],
    queries: [query('q', { one: { model: 'm' } })],
    hosts: [host('a')],
  };
  t.regex(plan(world).refused[0]!.reason, /m has no profile for k/);
  const both = plan({ ...world, hosts: [host('a'), host('z', { kind: 'other' })] });
  t.deepEqual(placement(both), ['z: m']);
});

test('plan: memory for two of three models on one host: a second host, or one query is refused', t => {
  const profiles = ['x', 'y', 'z'].map(name => model(name, 1, 5, 1800));
  const queries = profiles.map(p => query(`q${p.model}`, { one: { model: p.model } }));
  t.is(plan({ profiles, queries, hosts: [host('a'), host('b')] }).hosts.length, 2);
  const tight = plan({ profiles, queries, hosts: [host('a')] });
  t.is(tight.queries.length, 2);
  t.regex(tight.refused[0]!.reason, /memory is taken by other models/);
});

test('plan: too few hosts serve all at degraded capacity', t => {
  const profiles = [model('x', 10, 5), model('y', 10, 5)];
  const queries = profiles.map(p => query(`q${p.model}`, { one: { model: p.model } }, { rateHz: 500 }));
  const { draft, notes } = makePlan(input({ profiles, queries, hosts: [host('a')] }));
  t.deepEqual(draft.refused, []);
  t.deepEqual(placement(draft), ['a: x y']);
  t.regex(notes.join(), /default\.qx\.one: \d+\.\d Hz beyond capacity/);
});

test('plan: replicas where they are asked for and memory allows', t => {
  const world: World = {
    profiles: [model('x', 1, 5)],
    queries: [query('q', { one: { model: 'x' } })],
    hosts: [host('a'), host('b'), host('c')],
  };
  t.is(plan(world).hosts.length, 1);
  t.is(plan({ ...world, replicasMin: 2 }).hosts.length, 2);
  t.is(plan({ ...world, replicasMin: 9 }).hosts.length, 3);
});

test('plan: models stay where they are; a host that barred one is avoided', t => {
  const world: World = {
    profiles: [model('x', 1, 5)],
    queries: [query('q', { one: { model: 'x' } })],
    hosts: [host('a'), host('b', { holds: ['x'] })],
  };
  t.deepEqual(placement(plan(world)), ['b: x']);
  const barred = host('b', { holds: ['x'], barred: new Map([['x', 'broken']]) });
  t.deepEqual(placement(plan({ ...world, hosts: [host('a'), barred] })), ['a: x']);
});

test('plan: pools are what hosts have in common, spread over the batchers, and keep their names', t => {
  const profiles = [model('x', 1, 5, 2500), model('y', 1, 5, 2500)];
  const world: World = {
    profiles,
    queries: profiles.map(p => query(`q${p.model}`, { one: { model: p.model } })),
    hosts: [host('a'), host('b')],
  };
  const first = plan(world);
  t.deepEqual(first.pools.map(p => p.batcher).toSorted(), ['b-1', 'b-2']);
  const then = after(world, first);
  const rest = plan({ ...then, queries: world.queries.slice(1) });
  const kept = first.pools.find(p => p.sessions.includes('default.qy.one'))!;
  t.deepEqual(rest.pools, [kept]);
});

const worlds: fc.Arbitrary<World> = fc
  .record({
    models: fc.array(
      fc.record({
        alphaMs: fc.double({ min: 0.1, max: 8, noNaN: true }),
        betaMs: fc.double({ min: 0.5, max: 20, noNaN: true }),
        persistentMB: fc.integer({ min: 50, max: 2500 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    queries: fc.array(
      fc.record({
        models: fc.array(fc.nat(3), { minLength: 1, maxLength: 3 }),
        objectiveMs: fc.integer({ min: 10, max: 600 }),
        rateHz: fc.double({ min: 0.1, max: 300, noNaN: true }),
      }),
      { maxLength: 5 },
    ),
    hosts: fc.integer({ min: 0, max: 6 }),
  })
  .map(({ models, queries, hosts }) => ({
    profiles: models.map((m, i) => model(`m${i}`, m.alphaMs, m.betaMs, m.persistentMB)),
    queries: queries.map((q, i) => {
      const stages = q.models.map((m, j): [string, QueryDocument['stages'][string]] => [
        `s${j}`,
        { model: `m${m % models.length}`, ...(j === 0 ? {} : { from: `s${j - 1}` }) },
      ]);
      return query(`q${i}`, Object.fromEntries(stages), { objectiveMs: q.objectiveMs, rateHz: q.rateHz });
    }),
    hosts: Array.from({ length: hosts }, (_, i) => host(`h${i}`)),
  }));

test('plan: complete, within memory, deterministic, and stable once it is in force (property)', t => {
  fc.assert(
    fc.property(worlds, world => {
      const draft = plan(world);
      const told = draft.queries.length + draft.refused.length;
      if (told !== world.queries.length) throw new Error(`${told} of ${world.queries.length} queries are told of`);
      for (const { stages } of draft.queries) {
        for (const stage of stages) {
          const session = draft.sessions.find(s => s.name === stage.session)!;
          const pool = draft.pools.find(p => p.pool === stage.pool)!;
          if (!pool.sessions.includes(session.name)) throw new Error('a session outside of its pool');
          const holders = draft.hosts.filter(h => h.models.some(m => m.model === session.model));
          if (holders.length === 0) throw new Error(`${session.name} is served nowhere`);
          if (!holders.every(h => pool.hosts.includes(h.host))) throw new Error('a holder outside of the pool');
          const curve = curveOf(draft.profiles.find(p => p.model === session.model)!);
          if (curve.latencyMs(1) > session.objectiveMs) throw new Error('an objective that can not be met');
        }
      }
      for (const { host: name, models } of draft.hosts) {
        const curves = models.map(m => ({ ...m, curve: curveOf(draft.profiles.find(p => p.model === m.model)!) }));
        const weights = curves.reduce((sum, m) => sum + m.curve.persistentBytes, 0);
        const bytes = weights + Math.max(...curves.map(m => m.curve.ephemeralBytes(m.batchMax)));
        if (bytes > 4000 * MB) throw new Error(`${name} would hold ${bytes} bytes`);
      }
      const shuffled = { ...world, hosts: world.hosts.toReversed(), queries: world.queries.toReversed() };
      if (!samePlan(plan(shuffled), draft)) throw new Error('depends on the order');
      const next = plan(after(world, draft));
      if (!samePlan(next, draft))
        throw new Error(`moves without need: ${placement(draft).join()} | ${placement(next).join()}`);
    }),
    { numRuns: 200, includeErrorInReport: true },
  );
  t.pass();
});
