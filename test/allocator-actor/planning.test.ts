import test from 'ava';
import { verdictOn, whyNotNow, type Standing } from '../../actors/allocator/planning.ts';
import type { Plan } from '../../contracts/index.ts';
import { draft, holding, inForce } from '../allocator/drafts.ts';

const placed = { a: ['x'], b: ['y'] };
const standing: Standing = {
  inForce: inForce(placed),
  holdings: holding(placed),
  epochs: 1,
  outdone: false,
  inPlace: true,
  reason: 'the period is over',
  beside: () => undefined,
};

const hostsOf = ({ hosts }: Pick<Plan, 'hosts'>): Record<string, string[]> =>
  Object.fromEntries(hosts.map(({ host, models }) => [host, models.map(({ model }) => model)]));

test('planning: nothing is planned before all is read, or for nobody to follow', t => {
  const ready = { catalogReady: true, batchers: 1, inForce: inForce(placed) };
  t.is(whyNotNow(ready), undefined);
  t.regex(whyNotNow({ ...ready, catalogReady: false })!, /not been read/);
  t.regex(whyNotNow({ ...ready, batchers: 0 })!, /no prefix-batcher/);
  t.is(whyNotNow({ ...ready, batchers: 0, inForce: undefined }), undefined, 'a first plan tells why all is refused');
});

test('planning: a draft that changes nothing leaves the plan in force', t => {
  t.deepEqual(verdictOn(draft(placed), standing), { is: 'keep', detail: 'epoch 1 stays: the period is over' });
});

for (const [why, change] of Object.entries<Partial<Standing>>({
  'a new leader': { epochs: 0 },
  'somebody follows a plan that is not older': { outdone: true },
  'a host lacks what the plan gives it': { inPlace: false },
  'there is no plan': { inForce: undefined, inPlace: false },
}))
  test(`planning: the same again is a new plan (${why})`, t => {
    const wanted = draft(placed);
    t.deepEqual(verdictOn(wanted, { ...standing, ...change }), { is: 'change', draft: wanted, partial: false });
  });

test('planning: where memory asks for it, a step on the way; where nothing is safe, none', t => {
  const step = verdictOn(draft({ a: ['y'], b: ['x'] }), { ...standing, holdings: holding(placed) });
  t.is(step.is, 'block');
  const more = draft({ a: ['x'], b: ['y'], c: ['z'] });
  const served = verdictOn(draft({ a: ['y'], b: ['x'] }), { ...standing, beside: () => more });
  t.deepEqual(served, { is: 'change', draft: more, partial: true }, 'but what is not served goes beside');
  const spare = { a: ['x'], b: ['x'] };
  const there = { ...standing, inForce: inForce(spare), holdings: holding(spare) };
  const between = verdictOn(draft({ a: ['y'], b: ['x'] }), there);
  t.true(between.is === 'change' && between.partial);
});

test('planning: a new leader leaves in place what a plan that it never saw may use', t => {
  // 60 bytes each, 100 to a host: `z` may be in use where the plan in force has `x`.
  const taken = { ...standing, epochs: 0, holdings: holding({ a: ['z'], b: ['y'] }), inPlace: false };
  const step = verdictOn(draft(placed), taken);
  t.true(step.is === 'change' && step.partial);
  if (step.is !== 'change') return;
  t.deepEqual(hostsOf(step.draft), { b: ['y'] }, 'what hosts hold of the plan in force');
  const follow = { ...taken, epochs: 1, inForce: { ...inForce({}), ...step.draft } };
  t.deepEqual(verdictOn(draft(placed), follow), { is: 'change', draft: draft(placed), partial: false });
});

test('planning: a new leader that can not reach its draft so puts the plan in force anew', t => {
  const first = verdictOn(draft({ a: ['y'], b: ['x'] }), { ...standing, epochs: 0 });
  t.true(first.is === 'change' && first.partial);
  if (first.is === 'change') t.deepEqual(hostsOf(first.draft), placed);
});
