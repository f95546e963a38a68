import test from 'ava';
import fc from 'fast-check';
import { DeadlineQueue, deferred, eager, hybrid, lookAround } from '../../actors/prefix-batcher/policy/index.ts';
import { Stand, type StandModel } from './stand.ts';

const HOSTS = ['a', 'b', 'c'];

/** What can happen to a pool; `gapMs` passes before it. */
const happening = fc.record({
  gapMs: fc.integer({ min: 0, max: 15 }),
  what: fc.constantFrom('offer', 'offer', 'offer', 'offer', 'progress', 'progress', 'refused', 'beat', 'wake'),
  model: fc.nat(2),
  budgetMs: fc.integer({ min: 1, max: 120 }),
  host: fc.nat(2),
});
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

const models: StandModel[] = [
  { name: 'x', alphaMs: 1, betaMs: 5, batchMax: 6, budgetMs: 50 },
  { name: 'y', alphaMs: 2, betaMs: 9, batchMax: 4, budgetMs: 80, prefer: 'consolidation', on: ['a', 'b'] },
  { name: 'z', alphaMs: 0.5, betaMs: 1, batchMax: 8, budgetMs: 30, on: ['c'] },
];

for (const policy of [hybrid, eager, deferred]) {
  test(`properties: whatever happens, ${policy.name} keeps its promises`, t => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 120 }), fc.integer({ min: 0, max: 4 }), (happenings, leadMs) => {
        const stand = new Stand({ models, hosts: HOSTS, policy, leadMs });
        const offered = play(stand, happenings);
        const granted = stand.grants.flatMap(grant => grant.ids);
        const ended = [...granted, ...stand.dropped];
        t.is(new Set(ended).size, ended.length, 'none is granted twice, or granted and dropped');
        t.is(ended.length + stand.pool.queued, offered.size, 'none is lost');
        for (const { host, model, ids, startAtMs, latestAtMs, expectedMs } of stand.grants) {
          const its = models.find(({ name }) => name === model)!;
          t.true(!its.on || its.on.includes(host), `${model} is not on ${host}`);
          t.true(ids.length >= 1 && ids.length <= its.batchMax);
          t.true(startAtMs <= latestAtMs + 1e-6, 'all can be in time when it is granted');
          for (const id of ids) t.true(offered.get(id)! >= latestAtMs + expectedMs - 1e-6);
        }
      }),
      { numRuns: 150 },
    );
  });
}

test('properties: none is kept past its deadline, once the pool was woken when it asked for it', t => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 80 }), happenings => {
      const stand = new Stand({ models, hosts: HOSTS });
      play(stand, happenings);
      let wakes = 0;
      while (stand.pool.wakeAtMs < Infinity) {
        t.true(++wakes < 2000, 'wakes up for ever');
        stand.pool.wake(Math.max(stand.pool.nowMs, stand.pool.wakeAtMs));
      }
      t.is(stand.pool.queued, 0);
    }),
    { numRuns: 100 },
  );
});

test('properties: a pool knows who is near as if it asked every host', t => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 120 }), fc.integer({ min: 0, max: 4 }), (happenings, leadMs) => {
      const stand = new Stand({ models, hosts: HOSTS, leadMs });
      play(stand, happenings, () => {
        const { around, hosts, nowMs } = stand.pool;
        const { near, ...rest } = lookAround(hosts, nowMs);
        t.like(around, rest);
        t.deepEqual(
          around.near.map(({ name }) => name),
          near.map(({ name }) => name),
        );
      });
    }),
    { numRuns: 100 },
  );
});

test('properties: the order in which invocations of one instant came is irrelevant, deadlines decide', t => {
  const budgets = fc.uniqueArray(fc.integer({ min: 20, max: 200 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(
      budgets.chain(values => fc.tuple(fc.constant(values), fc.shuffledSubarray(values, { minLength: values.length }))),
      ([budgetsMs, shuffled]) => {
        const decide = (order: readonly number[]) => {
          const stand = new Stand({ models: [models[0]!], hosts: HOSTS });
          for (const host of HOSTS) {
            stand.offer(0, { id: 1000 + HOSTS.indexOf(host), budgetMs: 300 });
            stand.tell(host, 'started', 0);
          }
          for (const budgetMs of order) stand.offer(1, { id: budgetMs, budgetMs });
          for (const host of HOSTS) stand.tell(host, 'finished', 6);
          return { grants: stand.grants, dropped: new Set(stand.dropped) };
        };
        t.deepEqual(decide(budgetsMs), decide(shuffled));
      },
    ),
    { numRuns: 100 },
  );
});

test('properties: a queue is its items by deadline, equal ones in the order in which they came', t => {
  const step = fc.record({ deadlineMs: fc.nat(20), remove: fc.boolean(), index: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const queue = new DeadlineQueue<{ deadlineMs: number }>();
      let expected: { deadlineMs: number }[] = [];
      for (const { deadlineMs, remove, index } of steps) {
        const victim = remove ? expected[index] : undefined;
        if (victim) {
          t.true(queue.remove(victim));
          t.false(queue.remove(victim));
          expected = expected.filter(item => item !== victim);
        } else {
          const item = { deadlineMs };
          queue.add(item);
          expected = [...expected, item].sort((a, b) => a.deadlineMs - b.deadlineMs);
        }
      }
      t.is(queue.countBefore(10), expected.filter(item => item.deadlineMs < 10).length);
      const taken = queue.take(0, queue.length);
      t.true(taken.length === expected.length && taken.every((item, i) => item === expected[i]));
    }),
  );
});

/** Plays what happens; answers the deadlines of what was offered. */
function play(stand: Stand, happenings: readonly Happening[], look = (): void => {}): Map<number, number> {
  const deadlines = new Map<number, number>();
  const running = new Map<string, string>();
  let nowMs = 0;
  for (const { gapMs, what, model, budgetMs, host: index } of happenings) {
    nowMs += gapMs;
    const host = HOSTS[index]!;
    const latest = stand.grants.findLast(grant => grant.host === host)?.batch;
    if (what === 'offer') {
      const id = deadlines.size + 1;
      deadlines.set(id, nowMs + budgetMs);
      stand.offer(nowMs, { model: models[model]!.name, budgetMs, id });
    } else if (what === 'beat') {
      stand.beat(host, nowMs, { backlog: latest ? 1 : 0 });
      stand.pool.settle(nowMs);
    } else if (what === 'wake') stand.pool.settle(nowMs);
    else if (latest && what === 'refused' && running.get(host) !== latest) stand.tell(host, 'refused', nowMs);
    else if (latest && what === 'progress') {
      const phase = running.get(host) === latest ? 'finished' : 'started';
      running.set(host, phase === 'started' ? latest : '');
      stand.tell(host, phase, nowMs);
    }
    look();
  }
  return deadlines;
}
