import test from 'ava';
import fc from 'fast-check';
import { curveOf, deferred, eager, hybrid, usualCurve, type Mix } from '../../actors/prefix-batcher/policy/index.ts';
import { Stand, type StandItem, type StandModel } from './stand.ts';

const TRUNK = { alphaMs: 1, betaMs: 8, batchMax: 8 };
const head = (name: string, change: Partial<StandModel> = {}): StandModel => ({
  name,
  behind: true,
  alphaMs: 0.5,
  betaMs: 1,
  batchMax: 8,
  budgetMs: 100,
  ...change,
});
const straight = (alphaMs: number, betaMs: number) => {
  const points = [1, 8].map(batch => {
    const meanMs = alphaMs * batch + betaMs;
    return { batch, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: 0, repeats: 1 };
  });
  return curveOf({ points }, 8);
};

test('groups: members with different objectives run in one batch, the most urgent decides when', t => {
  const stand = new Stand({
    models: [head('fast', { budgetMs: 30 }), head('slow', { budgetMs: 500 })],
    hosts: ['a'],
    trunk: TRUNK,
  });
  stand.offer(0, { model: 'slow', id: 1 });
  stand.tell('a', 'started', 0);
  for (const id of [2, 3]) stand.offer(1, { model: 'slow', id });
  stand.offer(2, { model: 'fast', id: 4 });
  stand.tell('a', 'finished', 10.5);
  const [, mixed] = stand.grants;
  t.deepEqual(mixed!.ids, [4, 2, 3]);
  t.deepEqual(mixed!.models, ['fast', 'slow', 'slow']);
  t.is(mixed!.expectedMs, 3 + 8 + (0.5 + 1) + (1 + 1), 'ℓ_prefix(3) + ℓ_fast(1) + ℓ_slow(2)');
  t.is(mixed!.latestAtMs, 32 - mixed!.expectedMs);
});

test('groups: what a batch costs depends on whose it is, and deadlines are kept with that', t => {
  const dear = head('dear', { betaMs: 20 });
  const stand = new Stand({ models: [head('cheap'), dear], hosts: ['a'], trunk: TRUNK });
  stand.offer(0, { model: 'cheap', id: 1, budgetMs: 12 });
  stand.tell('a', 'started', 0);
  stand.offer(1, { model: 'cheap', id: 2, budgetMs: 23 });
  stand.offer(1, { model: 'dear', id: 3, budgetMs: 80 });
  stand.tell('a', 'finished', 10.5);
  t.deepEqual(stand.grants[1]!.ids, [2], 'the dear one would make it late');
  stand.tell('a', 'started', 10.5);
  stand.tell('a', 'finished', 21);
  t.deepEqual(stand.grants[2]!.ids, [3]);
  t.deepEqual(stand.dropped, []);
});

test('groups: a host serves the members that it holds, others as they join', t => {
  const models = [head('one'), head('two', { on: ['b'] }), head('three')];
  const stand = new Stand({ models, hosts: ['a', 'b'], trunk: TRUNK });
  for (const host of ['a', 'b']) stand.hold(host, 'three', false);
  for (const host of ['a', 'b']) stand.beat(host, 0);
  stand.offer(0, { model: 'one', id: 1 });
  stand.offer(0, { model: 'two', id: 2 });
  t.deepEqual(
    stand.grants.map(({ host, ids }) => [host, ids]),
    [
      ['a', [1]],
      ['b', [2]],
    ],
  );
  stand.offer(0, { model: 'three', id: 3 });
  for (const host of ['a', 'b']) stand.tell(host, 'started', 0);
  for (const host of ['a', 'b']) stand.tell(host, 'finished', 11);
  t.is(stand.grants.length, 2, 'nobody holds it yet: it waits');
  stand.hold('a', 'three', true);
  stand.beat('a', 12);
  stand.pool.settle(12);
  t.like(stand.grants[2], { host: 'a', ids: [3] });
  t.deepEqual(stand.dropped, []);
});

test('groups: one that no holder can run in time is dropped, whoever else is free', t => {
  const models = [head('one'), head('two', { on: ['b'] })];
  const stand = new Stand({ models, hosts: ['a', 'b'], trunk: TRUNK });
  stand.offer(0, { model: 'two', id: 1 });
  stand.tell('b', 'started', 0);
  stand.offer(1, { model: 'two', id: 2, budgetMs: 15 });
  stand.offer(1, { model: 'one', id: 3, budgetMs: 15 });
  t.deepEqual(stand.dropped, [2]);
  t.like(stand.grants[1], { host: 'a', ids: [3] });
});

test('groups: a usual batch costs what batches of that size cost on average', t => {
  const mix: Mix = { prefix: straight(1, 8), suffixes: [straight(0.5, 1), straight(0.2, 4), undefined] };
  const usual = usualCurve(mix, [3, 1, 5]);
  for (let b = 1; b <= 8; b++) {
    let expected = 0;
    for (let first = 0; first <= b; first++) {
      const chance = binomial(b, first) * 0.75 ** first * 0.25 ** (b - first);
      const second = b - first;
      const cost = b + 8 + (first > 0 ? 0.5 * first + 1 : 0) + (second > 0 ? 0.2 * second + 4 : 0);
      expected += chance * cost;
    }
    t.true(Math.abs(usual.meanMs[b]! - expected) < 1e-9, `${b}: ${usual.meanMs[b]} against ${expected}`);
  }
  t.true(usual.meanMs.every((ms, b) => b === 0 || ms > usual.meanMs[b - 1]!));
});

function binomial(n: number, k: number): number {
  let value = 1;
  for (let i = 0; i < k; i++) value = (value * (n - i)) / (i + 1);
  return value;
}

const HOSTS = ['a', 'b', 'c'];
const models: StandModel[] = [
  head('p', { budgetMs: 40 }),
  head('q', { alphaMs: 1.5, betaMs: 3, prefer: 'consolidation' }),
  head('r', { on: ['a', 'b'] }),
  head('s', { on: ['c'], betaMs: 6 }),
  { name: 'x', alphaMs: 1, betaMs: 5, batchMax: 6, budgetMs: 50 },
];
const happening = fc.record({
  gapMs: fc.integer({ min: 0, max: 12 }),
  what: fc.constantFrom(
    'offer',
    'offer',
    'offer',
    'offer',
    'progress',
    'progress',
    'refused',
    'join',
    'leave',
    'withdraw',
    'wake',
  ),
  model: fc.nat(models.length - 1),
  budgetMs: fc.integer({ min: 1, max: 150 }),
  host: fc.nat(2),
});

for (const policy of [hybrid, eager, deferred]) {
  test(`groups: whatever joins, leaves and happens, ${policy.name} keeps its promises`, t => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 150 }), fc.integer({ min: 0, max: 4 }), (happenings, leadMs) => {
        const offered = new Map<number, number>();
        let nowMs = 0;
        const onDrop = (items: readonly StandItem[]): void => {
          for (const { deadlineMs, session } of items) {
            const model = session.name;
            for (const host of stand.hosts) {
              if (!stand.heldAtBeat(host.name, model) || nowMs > host.usableUntilMs) continue;
              const endMs = Math.max(nowMs + leadMs, host.bookedUntilMs) + aloneMs(model);
              t.true(endMs > deadlineMs - 1e-6, `${model} could have been run on ${host.name}`);
            }
          }
        };
        const stand: Stand = new Stand({ models, hosts: HOSTS, policy, leadMs, trunk: TRUNK, onDrop });
        const running = new Map<string, string>();
        let withdrawn = 0;
        let seen = 0;
        for (const { gapMs, what, model, budgetMs, host: index } of happenings) {
          nowMs += gapMs;
          const host = HOSTS[index]!;
          const { name } = models[model]!;
          const latest = stand.grants.findLast(grant => grant.host === host)?.batch;
          if (what === 'offer') {
            const id = offered.size + 1;
            offered.set(id, nowMs + budgetMs);
            stand.offer(nowMs, { model: name, budgetMs, id });
          } else if (what === 'join' || what === 'leave') {
            stand.hold(host, name, what === 'join');
            stand.beat(host, nowMs, { backlog: latest ? 1 : 0 });
            stand.pool.settle(nowMs);
          } else if (what === 'withdraw') {
            const group = stand.groups[0]!;
            const victim = group.queue.length > 0 ? group.queue.at(budgetMs % group.queue.length) : undefined;
            if (victim) withdrawn++;
            if (victim) stand.pool.remove(group, victim);
          } else if (what === 'wake') stand.pool.settle(nowMs);
          else if (latest && what === 'refused' && running.get(host) !== latest) stand.tell(host, 'refused', nowMs);
          else if (latest && what === 'progress') {
            const phase = running.get(host) === latest ? 'finished' : 'started';
            running.set(host, phase === 'started' ? latest : '');
            stand.tell(host, phase, nowMs);
          }
          for (; seen < stand.grants.length; seen++) {
            const grant = stand.grants[seen]!;
            for (const model of grant.models)
              t.true(stand.heldAtBeat(grant.host, model), `${grant.host} does not hold ${model}`);
          }
        }
        const ended = [...stand.grants.flatMap(({ ids }) => ids), ...stand.dropped];
        t.is(new Set(ended).size, ended.length, 'none is granted twice, or granted and dropped');
        t.is(ended.length + stand.pool.queued + withdrawn, offered.size, 'none is lost');
        for (const { ids, models: its, startAtMs, latestAtMs, expectedMs } of stand.grants) {
          t.true(ids.length >= 1 && ids.length <= (its[0] === 'x' ? 6 : 8));
          t.true(Math.abs(expectedMs - batchMs(its)) < 1e-9, 'it takes what its parts take');
          t.true(startAtMs <= latestAtMs + 1e-6, 'all can be in time when it is granted');
          for (const id of ids) t.true(offered.get(id)! >= latestAtMs + expectedMs - 1e-6);
        }
      }),
      { numRuns: 150 },
    );
  });
}

const of = (name: string): StandModel => models.find(model => model.name === name)!;

/** The quickest that the policy may count on: of any member, behind the trunk. */
function aloneMs(name: string): number {
  const { behind, alphaMs, betaMs } = of(name);
  return behind ? TRUNK.alphaMs + TRUNK.betaMs + 0.5 + 1 : alphaMs + betaMs;
}

function batchMs(names: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const parts = [...counts].reduce((sum, [name, count]) => sum + of(name).alphaMs * count + of(name).betaMs, 0);
  return of(names[0]!).behind ? parts + TRUNK.alphaMs * names.length + TRUNK.betaMs : parts;
}
