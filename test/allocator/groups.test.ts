import test from 'ava';
import { candidatesOf, makeGroupedPlan, type HostView, type PlannerInput } from '../../allocator/index.ts';
import { hashOfCut, prefixId, suffixId, type Cut, type Profile, type QueryDocument } from '../../contracts/index.ts';
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
