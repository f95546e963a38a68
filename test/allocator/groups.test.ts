import test from 'ava';
import fc from 'fast-check';
import {
  candidatesOf,
  makeGroupedPlan,
  makePlan,
  type Draft,
  type HostView,
  type PlannerInput,
} from '../../allocator/index.ts';
import {
  cutOf,
  hashOfCut,
  isPrefix,
  isSuffix,
  modelOf,
  prefixId,
  suffixId,
  type Cut,
  type Profile,
  type QueryDocument,
} from '../../contracts/index.ts';
import { runs } from '../helpers/properties.ts';
import { linear, profileOf } from './profiles.ts';

const MB = 1e6;
const [SHALLOW, DEEP] = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb'];
const cutAt = (cut: string, computeShare: number): Cut => ({
  cut,
  emulated: true,
  prefixBytes: computeShare * 100 * MB,
  suffixBytes: (1 - computeShare) * 100 * MB,
  computeShare,
});
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `v${i}`);
const profile = (model: string, alphaMs: number, betaMs: number, persistentMB: number): Profile =>
  profileOf(model, linear(alphaMs, betaMs), {
    device: 'k',
    persistentBytes: persistentMB * MB,
    ephemeralBytesPerItem: MB,
  });
const host = (name: string): HostView => ({
  host: name,
  kind: 'k',
  memoryBytes: 500 * MB,
  holds: [],
  barred: new Map(),
});

/** `count` variants of a 100 MB model, 97 of them shared; each with a query of 20 Hz. */
function input(count: number, parts = true): PlannerInput {
  const variants = names(count);
  const profiles = [
    ...variants.map(name => profile(name, 0.65, 8.2, 100)),
    ...(parts
      ? [profile(prefixId(DEEP), 0.6, 8, 97), ...variants.map(v => profile(suffixId(v, DEEP), 0.05, 0.2, 3))]
      : []),
  ];
  return {
    models: new Map(variants.map(id => [id, { id, batchMax: 32, cuts: [cutAt(SHALLOW, 0.4), cutAt(DEEP, 0.9)] }])),
    queries: variants.map(
      (model, i): QueryDocument => ({
        kind: 'Query',
        name: `q${i}`,
        objectiveMs: 100 + 20 * (i % 3),
        rateHz: 20,
        stages: { read: { model } },
      }),
    ),
    rateHz: () => undefined,
    profiles,
    hosts: names(8).map(host),
    batchers: ['b-1'],
    current: undefined,
    settings: { policy: 'pooled', networkMs: 3, replicasMin: 1 },
  };
}

test('groups: candidates are the deepest cut of each set of models that share any', t => {
  const model = (id: string, ...cuts: Cut[]) => ({ id, batchMax: id === 'a' ? 8 : 16, cuts });
  const shallow = cutAt(SHALLOW, 0.4);
  const deep = cutAt(DEEP, 0.9);
  const found = candidatesOf([model('c', shallow), model('a', shallow, deep), model('b', shallow, deep), model('d')]);
  t.deepEqual(
    found.map(({ cut, members }) => [cut, members]),
    [
      [DEEP, ['a', 'b']],
      [SHALLOW, ['a', 'b', 'c']],
    ],
  );
  t.is(found[0]!.batchMax, 8);
  const trifle = cutAt(SHALLOW, 0.01);
  t.deepEqual(candidatesOf([model('a', trifle), model('b', trifle)]), [], 'too little to be worth two runs');
});

test('groups: twenty variants take the hosts that one model takes, and each host their memory once', t => {
  const { draft } = makeGroupedPlan(input(20));
  t.deepEqual(draft.refused, []);
  const whole = makeGroupedPlan(input(20, false)).draft;
  t.true(draft.hosts.length < whole.hosts.length, `${draft.hosts.length} against ${whole.hosts.length}`);
  for (const { models } of draft.hosts) {
    t.like(models[0], { model: prefixId(DEEP), of: 'v0' });
    const suffixes = new Set(models.slice(1).map(({ model }) => model));
    t.true(suffixes.size === 20 && names(20).every(v => suffixes.has(suffixId(v, DEEP))));
    t.is(new Set(models.map(({ batchMax }) => batchMax)).size, 1);
  }
  for (const { groups, sessions } of draft.pools) {
    t.is(groups.length, 1);
    t.is(groups[0]!.members.length, sessions.length);
  }
  t.is(new Set(draft.sessions.map(({ model }) => model)).size, 20);
  const profiled = new Set(draft.profiles.map(({ model }) => model));
  t.is(profiled.size, 21);
  t.is(draft.profiles.find(({ model }) => model === prefixId(DEEP))!.persistentBytes, 97 * MB, 'of the prefix alone');
});

test('groups: a shallower cut is tried too where clearly less crosses it, and taken where it is cheaper', t => {
  const crossing = (cut: Cut, crossingBytes: number): Cut => ({ ...cut, crossingBytes });
  const cuts = [crossing(cutAt(SHALLOW, 0.8), 100_000), crossing(cutAt(DEEP, 0.9), 1_000_000)];
  const model = (id: string) => ({ id, batchMax: 32, cuts });
  t.deepEqual(
    candidatesOf(names(3).map(model)).map(({ cut }) => cut),
    [DEEP, SHALLOW],
  );
  const near = [crossing(cuts[0]!, 600_000), cuts[1]!];
  t.is(candidatesOf(names(3).map(id => ({ ...model(id), cuts: near }))).length, 1, 'not clearly less');
  const small = cuts.map(cut => crossing(cut, cut.crossingBytes! / 10));
  t.is(candidatesOf(names(3).map(id => ({ ...model(id), cuts: small }))).length, 1, 'copied in no time');

  const base = input(6);
  const variants = names(6);
  const withShallow = (suffixMB: number): PlannerInput => ({
    ...base,
    models: new Map(variants.map(id => [id, model(id)])),
    profiles: [
      ...base.profiles,
      profile(prefixId(SHALLOW), 0.6, 8, 90),
      ...variants.map(v => profile(suffixId(v, SHALLOW), 0.05, 0.2, suffixMB)),
    ],
  });
  const prefixesOf = (planned: PlannerInput): string[] => [
    ...new Set(makeGroupedPlan(planned).draft.pools.flatMap(({ groups }) => groups.map(({ prefix }) => prefix))),
  ];
  t.deepEqual(prefixesOf(withShallow(3)), [prefixId(SHALLOW)], '90 + 6 × 3 MB against 97 + 6 × 3');
  t.deepEqual(prefixesOf(withShallow(4)), [prefixId(DEEP)], '90 + 6 × 4 MB is about as much: the deeper one');
  // In force it stays, where the other isn't clearly better.
  const { draft } = makeGroupedPlan(withShallow(3));
  const current = { v: 1 as const, epoch: 1, nonce: 'n', ...draft };
  t.deepEqual(prefixesOf({ ...withShallow(4), current }), [prefixId(SHALLOW)]);
});

test('groups: a cut that saves neither hosts nor memory is not made', t => {
  const two = input(2);
  const heavy = two.profiles.map(p => (p.model === suffixId('v1', DEEP) ? { ...p, persistentBytes: 200 * MB } : p));
  t.true(makeGroupedPlan(two).draft.pools.some(({ groups }) => groups.length > 0));
  const { draft } = makeGroupedPlan({ ...two, profiles: heavy });
  t.true(draft.pools.every(({ groups }) => groups.length === 0));
});

test('groups: where hosts do not suffice, what serves more of the rates wins, even if it takes more memory', t => {
  const busy = input(20);
  const short: PlannerInput = {
    ...busy,
    profiles: busy.profiles.map(p => (isSuffix(p.model) ? { ...p, persistentBytes: 100 * MB } : p)),
    queries: busy.queries.map(query => ({ ...query, rateHz: 120 })),
    hosts: names(2).map(name => ({ ...host(name), memoryBytes: 5000 * MB })),
  };
  const [apart, grouped] = [makePlan(short), makeGroupedPlan(short)];
  t.true(apart.servedShare < 0.8, `${apart.servedShare}`);
  t.true(grouped.draft.pools.some(({ groups }) => groups.length > 0));
  t.true(grouped.servedShare > apart.servedShare + 0.1, `${grouped.servedShare}`);
  t.deepEqual([apart.draft.refused, grouped.draft.refused], [[], []]);
});

test('groups: parts that take far longer than the whole are not planned, though the others were not measured whole', t => {
  const one = input(3);
  const slow = (ms: number): PlannerInput => ({
    ...one,
    profiles: one.profiles
      .filter(({ model }) => model.includes('/') || model === 'v0')
      .map(p => (p.model === prefixId(DEEP) ? profile(prefixId(DEEP), 0.6, ms, 97) : p)),
  });
  t.is(makeGroupedPlan(slow(8)).draft.refused.length, 0);
  const { refused, pools } = makeGroupedPlan(slow(60)).draft;
  t.true(pools.every(({ groups }) => groups.length === 0));
  t.is(refused.length, 2, 'those wait to be measured whole');
});

test('groups: what was not measured in parts is planned whole', t => {
  const { draft } = makeGroupedPlan(input(4, false));
  t.true(draft.pools.every(({ groups }) => groups.length === 0));
  t.true(draft.hosts.every(({ models }) => models.every(({ model }) => !model.includes('/'))));
});

const [TENSOR, SKIP] = ['a'.repeat(16), 'b'.repeat(16)];
/** A cut behind one trunk, where some models take a second tensor. */
const through = (tensors: readonly string[]): Cut => ({
  ...cutAt(hashOfCut(tensors).slice(0, 12), 0.9),
  emulated: false,
  trunk: 'dddddddddddd',
  tensors: tensors.map((tensor, i) => ({ tensor, bytes: 1000 * (i + 1) })),
  crossingBytes: 1000 * tensors.length,
});

test('groups: models that leave one trunk with other tensors share the cut through the tensors of all', t => {
  const model = (id: string, ...tensors: string[]) => ({ id, batchMax: 8, cuts: [through(tensors)] });
  const both = hashOfCut([TENSOR, SKIP]).slice(0, 12);
  const [united] = candidatesOf([model('a', TENSOR), model('b', TENSOR, SKIP), model('c', TENSOR)]);
  t.like(united, { cut: both, members: ['a', 'b', 'c'], tensors: [TENSOR, SKIP] });
  const [plain] = candidatesOf([model('a', TENSOR), model('c', TENSOR)]);
  t.like(plain, { cut: hashOfCut([TENSOR]).slice(0, 12), tensors: [TENSOR] });
  const apart = Array.from({ length: 20 }, (_, i) => model(`v${i}`, TENSOR, i.toString(16).padStart(16, '0')));
  t.deepEqual(candidatesOf(apart), [], 'too many tensors');
});

test('groups: a group in force goes on while one that joins is measured, and when one leaves', t => {
  const models = names(4).map((id, i) => ({ id, batchMax: 32, cuts: [through(i < 3 ? [TENSOR] : [TENSOR, SKIP])] }));
  const measuredAt = (cut: string, ids: readonly string[]): Profile[] => [
    profile(prefixId(cut), 0.6, 8, 97),
    ...ids.map(id => profile(suffixId(id, cut), 0.05, 0.2, 3)),
  ];
  const plain = hashOfCut([TENSOR]).slice(0, 12);
  const both = hashOfCut([TENSOR, SKIP]).slice(0, 12);
  const planFor = (count: number, profiles: Profile[], current: PlannerInput['current']) => {
    const base = input(count, false);
    return makeGroupedPlan({
      ...base,
      models: new Map(models.slice(0, count).map(model => [model.id, model])),
      profiles: [profile('v0', 0.65, 8.2, 100), ...profiles],
      current,
    }).draft;
  };
  const asPlan = (epoch: number, draft: ReturnType<typeof planFor>) => ({ v: 1 as const, epoch, nonce: 'n', ...draft });
  const groupsOf = ({ pools }: { pools: ReturnType<typeof planFor>['pools'] }) =>
    new Map(pools.flatMap(pool => pool.groups.map(({ prefix, members }) => [prefix, members] as const)));
  const first = planFor(3, measuredAt(plain, names(3)), undefined);
  t.deepEqual(groupsOf(first), new Map([[prefixId(plain), names(3)]]));
  const joining = planFor(4, measuredAt(plain, names(3)), asPlan(1, first));
  t.deepEqual(groupsOf(joining), new Map([[prefixId(plain), names(3)]]));
  t.deepEqual(
    joining.refused.map(({ query }) => query),
    ['q3'],
    'until it is measured',
  );
  const all = [...measuredAt(plain, names(3)), ...measuredAt(both, names(4))];
  const joined = planFor(4, all, asPlan(2, joining));
  t.deepEqual(groupsOf(joined), new Map([[prefixId(both), names(4)]]));
  t.deepEqual(joined.hosts[0]!.models[0]!.tensors, [TENSOR, SKIP]);
  const left = planFor(3, measuredAt(both, names(4)), asPlan(3, joined));
  t.deepEqual(groupsOf(left), new Map([[prefixId(both), names(3)]]), 'what else it could be is not measured');
  t.deepEqual(left.hosts[0]!.models[0]!.tensors, [TENSOR, SKIP]);
});

/** `count` members, `headMB` each behind 90 MB that they share, on hosts of `memoryMB`; all cut at one place. */
function heavyHeads(facts: {
  count: number;
  headMB: number;
  memoryMB: number;
  hosts: number;
  rateHz: (index: number) => number;
}): PlannerInput {
  const members = names(facts.count);
  const base = input(facts.count, false);
  return {
    ...base,
    models: new Map(members.map(id => [id, { id, batchMax: 32, cuts: [cutAt(DEEP, 0.9)] }])),
    queries: base.queries.map((query, i) => ({ ...query, rateHz: facts.rateHz(i) })),
    profiles: [
      ...members.map(id => profile(id, 0.65, 8.2, 90 + facts.headMB)),
      profile(prefixId(DEEP), 0.6, 8, 90),
      ...members.map(id => profile(suffixId(id, DEEP), 0.05, 0.2, facts.headMB)),
    ],
    hosts: names(facts.hosts).map(name => ({ ...host(name), memoryBytes: facts.memoryMB * MB })),
  };
}
const suffixesOn = ({ hosts }: Draft): string[][] =>
  hosts.map(({ models }) => models.flatMap(({ model }) => (isSuffix(model) ? [modelOf(model)] : [])));

test('groups: members that no host has memory for together are spread over hosts, each beside the prefix', t => {
  const short = heavyHeads({ count: 12, headMB: 20, memoryMB: 220, hosts: 4, rateHz: () => 5 });
  const { draft } = makeGroupedPlan(short);
  t.deepEqual(draft.refused, []);
  t.true(makePlan(short).draft.refused.length > 0, 'apart they do not fit');
  const held = suffixesOn(draft);
  t.true(held.every(members => members.length < 12));
  t.deepEqual([...new Set(held.flat())].toSorted(), names(12).toSorted());
  checkPlan(t, short, draft);
});

test('groups: members that are spread stay where they are when rates change', t => {
  const at = (rateHz: (i: number) => number): PlannerInput =>
    heavyHeads({ count: 12, headMB: 20, memoryMB: 220, hosts: 4, rateHz });
  const { draft } = makeGroupedPlan(at(i => 8 - i / 2));
  const current = { v: 1 as const, epoch: 1, nonce: 'n', ...draft };
  const next = at(i => 2 + i / 2);
  const hosts = next.hosts.map(one => {
    const planned = draft.hosts.find(({ host: name }) => name === one.host);
    return { ...one, holds: planned?.models.map(({ model }) => model) ?? [] };
  });
  t.deepEqual(suffixesOn(makeGroupedPlan({ ...next, hosts, current }).draft), suffixesOn(draft));
});

test('groups: what suffixes take is reckoned with the rates of their members', t => {
  // Ten members that are hardly asked beside one that is: a mixed batch runs little more than one suffix.
  const skewed = (rateHz: (i: number) => number): number => {
    const one = heavyHeads({ count: 10, headMB: 1, memoryMB: 1000, hosts: 8, rateHz });
    const dear = one.profiles.map(p =>
      p.model.startsWith('v') && isSuffix(p.model) ? profile(p.model, 0.05, 4, 1) : p,
    );
    return makeGroupedPlan({ ...one, profiles: dear }).draft.hosts.length;
  };
  const equal = skewed(() => 40);
  const uneven = skewed(i => (i === 0 ? 391 : 1));
  t.true(uneven < equal, `${uneven} hosts against ${equal}`);
});

test('groups: where an inner group is better the others of the outer one still share what they can', t => {
  const inner = ['v0', 'v1', 'v2'];
  const outer = names(6);
  const base = input(6, false);
  const nested: PlannerInput = {
    ...base,
    queries: base.queries.map(query => ({ ...query, rateHz: 5 })),
    models: new Map(
      outer.map(id => {
        const cuts = [cutAt(SHALLOW, 0.2), ...(inner.includes(id) ? [cutAt(DEEP, 0.9)] : [])];
        return [id, { id, batchMax: 32, cuts }];
      }),
    ),
    profiles: [
      ...base.profiles,
      profile(prefixId(DEEP), 0.6, 8, 97),
      ...inner.map(id => profile(suffixId(id, DEEP), 0.05, 0.2, 3)),
      profile(prefixId(SHALLOW), 0.2, 2, 30),
      ...outer.map(id => profile(suffixId(id, SHALLOW), 0.45, 6.2, 70)),
    ],
  };
  const groups = makeGroupedPlan(nested).draft.pools.flatMap(pool => pool.groups);
  const membersOf = (cut: string): string[] =>
    [...new Set(groups.filter(({ prefix }) => prefix === prefixId(cut)).flatMap(({ members }) => members))].toSorted();
  t.deepEqual(membersOf(DEEP), inner);
  t.deepEqual(membersOf(SHALLOW), ['v3', 'v4', 'v5']);
});

const weights = (draft: Draft, { profiles }: PlannerInput): number =>
  draft.hosts.reduce(
    (sum, { models }) =>
      sum + models.reduce((all, { model }) => all + profiles.find(p => p.model === model)!.persistentBytes, 0),
    0,
  );

/** Memory, and that each session is served by parts that are there. */
function checkPlan(
  t: { true(is: boolean, what?: string): void },
  { profiles, hosts }: PlannerInput,
  draft: Draft,
): void {
  for (const { host: name, models } of draft.hosts) {
    const parts = models.map(({ model }) => model);
    t.true(new Set(parts).size === parts.length, `${name} holds each part once`);
    for (const part of parts.filter(isSuffix)) t.true(parts.includes(prefixId(cutOf(part)!)), `${part} has its prefix`);
    for (const { model, of } of models)
      t.true(isPrefix(model) === (of !== undefined), `${model} is taken from a model`);
    const own = models.map(({ model, batchMax }) => ({ of: profiles.find(p => p.model === model)!, batchMax }));
    const bytes =
      own.reduce((sum, { of }) => sum + of.persistentBytes, 0) +
      Math.max(...own.map(({ of, batchMax }) => of.points.find(({ batch }) => batch === batchMax)!.ephemeralBytes));
    t.true(bytes <= hosts.find(({ host: known }) => known === name)!.memoryBytes, `${name} holds ${bytes} bytes`);
  }
  for (const { name, model } of draft.sessions) {
    const pool = draft.pools.find(({ sessions }) => sessions.includes(name))!;
    const group = pool.groups.filter(({ members }) => members.includes(model));
    t.true(group.length <= 1, `${model} is in one group`);
    const part = group[0] ? suffixId(model, cutOf(group[0].prefix)!) : model;
    const held = draft.hosts.filter(({ models }) => models.some(one => one.model === part));
    t.true(held.length > 0 && held.every(({ host: at }) => pool.hosts.includes(at)), `${name} is served in its pool`);
  }
}

test('groups: never worse than apart, never over memory (property)', t => {
  t.timeout(60_000);
  const whole = fc.record({
    rateHz: fc.integer({ min: 1, max: 120 }),
    measured: fc.boolean(),
    objectiveMs: fc.integer({ min: 60, max: 400 }),
    headMB: fc.integer({ min: 1, max: 80 }),
    /** In which inner group, of two; 2: in none. */
    inner: fc.integer({ min: 0, max: 2 }),
    outer: fc.boolean(),
  });
  const world = fc.record({
    models: fc.array(whole, { minLength: 2, maxLength: 7 }),
    hosts: fc.array(fc.integer({ min: 120, max: 700 }), { minLength: 1, maxLength: 6 }),
    replicasMin: fc.integer({ min: 1, max: 2 }),
  });
  const INNER = ['bbbbbbbbbbbb', 'cccccccccccc'];
  fc.assert(
    fc.property(world, ({ models, hosts, replicasMin }) => {
      const ids = names(models.length);
      const cutsOf = ({ inner, outer }: (typeof models)[number]): Cut[] => [
        ...(outer ? [cutAt(SHALLOW, 0.4)] : []),
        ...(INNER[inner] === undefined ? [] : [cutAt(INNER[inner], 0.9)]),
      ];
      const made: PlannerInput = {
        ...input(0),
        models: new Map(models.map((one, i) => [ids[i]!, { id: ids[i]!, batchMax: 32, cuts: cutsOf(one) }])),
        queries: models.map(({ rateHz, objectiveMs }, i) => ({
          kind: 'Query',
          name: `q${i}`,
          objectiveMs,
          rateHz,
          stages: { read: { model: ids[i]! } },
        })),
        rateHz: ({ query }) => {
          const one = models[Number(query.slice(1))]!;
          return one.measured ? one.rateHz * 0.7 : undefined;
        },
        profiles: [
          ...models.map(({ headMB }, i) => profile(ids[i]!, 0.65, 8.2, 80 + headMB)),
          profile(prefixId(SHALLOW), 0.25, 3.3, 35),
          ...INNER.map(cut => profile(prefixId(cut), 0.6, 8, 80)),
          ...models.flatMap(({ headMB }, i) => [
            profile(suffixId(ids[i]!, SHALLOW), 0.4, 5, 45 + headMB),
            ...INNER.map(cut => profile(suffixId(ids[i]!, cut), 0.05, 0.3, headMB)),
          ]),
        ],
        hosts: hosts.map((memoryMB, i) => ({ ...host(`h${i}`), memoryBytes: memoryMB * MB })),
        settings: { policy: 'pooled', networkMs: 3, replicasMin },
      };
      const { draft: apart, servedShare: servedApart } = makePlan(made);
      const { draft: grouped, servedShare } = makeGroupedPlan(made);
      checkPlan(t, made, grouped);
      t.true(grouped.refused.length <= apart.refused.length);
      // Where hosts are short, what serves more of the rates may take more of them.
      if (grouped.refused.length < apart.refused.length || servedShare > servedApart) return;
      t.true(grouped.hosts.length <= apart.hosts.length);
      if (grouped.hosts.length === apart.hosts.length) t.true(weights(grouped, made) <= weights(apart, made));
    }),
    runs(15),
  );
});
