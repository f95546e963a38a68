import test from 'ava';
import { checked, dispatchPolicy, type Policy, type PoolView } from '../../actors/prefix-batcher/policy/index.ts';
import { PolicyError } from '../../contracts/index.ts';
import { Stand } from './stand.ts';

const model = { name: 'm', alphaMs: 1, betaMs: 9, batchMax: 4, budgetMs: 100 };
type Decide = (view: PoolView) => unknown;

/** What becomes of one arrival on two hosts that hold the model. */
function offerTo(decide: Decide, more: object = {}) {
  const faults: PolicyError[] = [];
  const own = dispatchPolicy('mine', () => ({ decide: decide as Policy['decide'], ...more }));
  const policy = checked(own, error => void faults.push(error));
  const stand = new Stand({ models: [model], hosts: ['a', 'b'], policy: () => policy({}) });
  stand.beat('b', 0, { residents: [] });
  const run = (): void => void stand.offer(0);
  return { stand, run, faults };
}

const nothing = { drops: [], grants: [], wakeAtMs: Infinity };
const grant = (view: PoolView, change: object = {}) => {
  const group = view.groups[0]!;
  const seat = group.seats[0]!;
  return { ...nothing, grants: [{ group, seat, from: 0, count: 1, startAtMs: view.nowMs, latestAtMs: 50, ...change }] };
};

test('own policy: what it decides is carried out, and it hears of the end of its own grants', t => {
  const ended: unknown[] = [];
  const given: unknown[] = [];
  const decide: Decide = view => {
    if (view.groups[0]!.queue.length === 0 || view.hosts[0]!.granted) return nothing;
    const decision = grant(view);
    given.push(decision.grants[0]);
    return decision;
  };
  const { stand, run, faults } = offerTo(decide, { finished: (one: unknown, atMs: number) => ended.push(one, atMs) });
  run();
  stand.tell('a', 'started', 0);
  stand.tell('a', 'finished', 10);
  t.deepEqual(stand.grants[0]!.ids, [1]);
  t.deepEqual(ended, [given[0], 10]);
  t.deepEqual(faults, []);
});

for (const [what, decide, says] of [
  [
    'throws',
    () => {
      throw new Error('no idea');
    },
    /`decide` threw: no idea/,
  ],
  ['returns nothing', () => undefined, /must return \{ drops, grants, wakeAtMs \}/],
  [
    'never wants to be woken, in the wrong words',
    () => ({ ...nothing, wakeAtMs: Number.NaN }),
    /`wakeAtMs` is no number/,
  ],
  [
    'wants to be woken in the past',
    view => ({ ...nothing, wakeAtMs: view.nowMs }),
    /decides nothing at 0 and asks to be woken at 0/,
  ],
  ['grants more than waits', view => grant(view, { count: 2 }), /grants\[0\] takes 2 from 0 on, where 1 wait/],
  ['grants none', view => grant(view, { count: 0 }), /takes 0 from 0/],
  ['grants half an invocation', view => grant(view, { count: 0.5 }), /takes 0.5/],
  ['grants from nowhere', view => grant(view, { from: -1 }), /takes 1 from -1/],
  [
    'grants to a host that does not hold the model',
    view => grant(view, { seat: view.groups[0]!.seats[1] }),
    /for b, which does not hold m now/,
  ],
  [
    'grants on a seat of its own making',
    view => grant(view, { seat: { ...view.groups[0]!.seats[0]! } }),
    /no `seat` of its group/,
  ],
  ['grants a group of its own making', view => grant(view, { group: { models: [] } }), /no `group` of this pool/],
  ['starts at no time', view => grant(view, { startAtMs: undefined }), /starts at undefined; it is 0/],
  ['starts before now', view => grant(view, { startAtMs: -5 }), /starts at -5/],
  [
    'grants twice at once',
    view => ({ ...nothing, grants: [...grant(view).grants, ...grant(view).grants] }),
    /grants\[1\] is of a group or host that this decision is about already/,
  ],
  [
    'drops more than waits',
    view => ({ ...nothing, drops: [{ group: view.groups[0], queue: view.groups[0]!.queue, count: 9 }] }),
    /drops\[0\] gives up 9 of the 1 that wait/,
  ],
  [
    'drops from a queue of its own making',
    view => ({ ...nothing, drops: [{ group: view.groups[0], queue: { length: 3 }, count: 1 }] }),
    /none of its group’s lots/,
  ],
] as const satisfies readonly (readonly [string, Decide, RegExp])[])
  test(`own policy: one that ${what} is stopped, and nothing is done`, t => {
    const { stand, run, faults } = offerTo(decide);
    const error = t.throws(run, { instanceOf: PolicyError, message: says });
    t.regex(error.message, /^policy "mine": /);
    t.is(error.policy, 'mine');
    t.deepEqual(faults, [error]);
    t.deepEqual([stand.grants.length, stand.dropped.length, stand.pool.queued], [0, 0, 1]);
  });

test('own policy: a wrong shape is told before there is anything to decide', t => {
  for (const [more, says] of [
    [{ decide: 3 }, /has no function `decide/],
    [{ queues: 'mine' }, /`queues` is "mine"; it can be "pool" or "host"/],
  ] as const)
    t.throws(() => offerTo(() => nothing, more), { instanceOf: PolicyError, message: says });
  const fails = dispatchPolicy('mine', () => {
    throw new Error('enough must be a number');
  });
  t.throws(() => checked(fails, () => {})({}), { message: /making it threw: enough must be a number/ });
});
