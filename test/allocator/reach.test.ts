import test from 'ava';
import { reach } from '../../allocator/index.ts';
import { draft, holding, inForce } from './drafts.ts';

test('reach: what is empty is loaded directly', t => {
  const wanted = draft({ a: ['x'], b: ['y'] });
  t.deepEqual(reach(wanted, inForce({ a: ['x'] }), holding({ a: ['x'], b: [] })), { is: 'direct', draft: wanted });
});

test('reach: a host that can not hold old and new is emptied first, while another holds the old', t => {
  const now = { a: ['x'], b: ['x'] };
  const reached = reach(draft({ a: ['y'], b: ['x'] }), inForce(now), holding(now));
  t.is(reached.is, 'partial');
  if (reached.is !== 'partial') return;
  t.deepEqual(
    reached.draft.hosts.map(h => h.host),
    ['b'],
  );
  t.deepEqual(
    reached.draft.queries.map(q => q.query),
    ['x'],
  );
  t.regex(reached.draft.refused[0]!.reason, /as soon as others are released/);
});

test('reach: a swap that would leave a served model nowhere is not begun', t => {
  const now = { a: ['x'], b: ['y'] };
  const reached = reach(draft({ a: ['y'], b: ['x'] }), inForce(now), holding(now));
  t.is(reached.is, 'blocked');
  if (reached.is === 'blocked')
    t.regex(reached.detail, /a, b can't hold old and new models together, and nobody else holds/);
});

test('reach: what is not served any more may go before the new comes', t => {
  const reached = reach(draft({ a: ['y'] }), inForce({ a: ['x'] }), holding({ a: ['x'] }));
  t.is(reached.is, 'partial');
  if (reached.is === 'partial') t.deepEqual(reached.draft.hosts, []);
});

test('reach: what a host was to hold and has lost does not stand in the way', t => {
  const wanted = draft({ a: ['x'] });
  const before = { ...inForce({ a: ['y'] }), sessions: draft({ a: ['x', 'y'] }).sessions };
  t.is(reach(wanted, before, holding({ a: ['y'] })).is, 'blocked');
  t.deepEqual(reach(wanted, before, holding({ a: [] })), { is: 'direct', draft: wanted });
});
