import test from 'ava';
import { reach, type Draft } from '../../allocator/index.ts';
import { prefixId, suffixId } from '../../contracts/index.ts';
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

const hostsOf = ({ draft: { hosts } }: { readonly draft: Draft }): Record<string, string[]> =>
  Object.fromEntries(hosts.map(({ host, models }) => [host, models.map(({ model }) => model)]));

test('reach: a full host loads what would be nowhere beside what it serves, as far as that fits', t => {
  const [prefix, suffix] = [prefixId('0123456789ab'), suffixId('x', '0123456789ab')];
  const bytes = (part: string): number => ({ x: 30, y: 50 })[part] ?? 20;
  const now = { a: [prefix, suffix, 'z'] };
  const first = reach(draft({ a: ['x', 'y'] }, bytes), inForce(now, bytes), holding(now, bytes));
  t.is(first.is, 'partial');
  if (first.is !== 'partial') return;
  t.deepEqual(hostsOf(first), { a: ['x'] });
  t.deepEqual(first.draft.pools[0]!.groups, []);
  const next = reach(draft({ a: ['x', 'y'] }, bytes), inForce({ a: ['x'] }, bytes), holding({ a: ['x'] }, bytes));
  t.is(next.is, 'direct');
});

test('reach: a host that has room keeps what would be nowhere for one step more', t => {
  const [prefix, suffix] = [prefixId('0123456789ab'), suffixId('x', '0123456789ab')];
  const bytes = (part: string): number => ({ x: 60, y: 60, w: 30 })[part] ?? 20;
  const now = { a: ['y'], b: [prefix, suffix] };
  const reached = reach(draft({ a: ['x'], b: ['w'] }, bytes), inForce(now, bytes), holding(now, bytes));
  t.is(reached.is, 'partial');
  if (reached.is !== 'partial') return;
  t.deepEqual(hostsOf(reached), { b: ['w', prefix, suffix] });
  const { pools, queries, profiles } = reached.draft;
  t.deepEqual(
    pools.map(({ hosts, sessions, groups }) => ({ hosts, sessions, groups })),
    [{ hosts: ['b'], sessions: ['w', 'x'], groups: [{ prefix, members: ['x'] }] }],
  );
  t.deepEqual(
    queries.map(({ query, stages }) => [query, stages[0]!.pool]),
    [
      ['x', pools[0]!.pool],
      ['w', pools[0]!.pool],
    ],
  );
  t.true([prefix, suffix].every(part => profiles.some(({ model }) => model === part)));
});

test('reach: what is not served any more may go before the new comes', t => {
  const reached = reach(draft({ a: ['y'] }), inForce({ a: ['x'] }), holding({ a: ['x'] }));
  t.is(reached.is, 'partial');
  if (reached.is === 'partial') t.deepEqual(reached.draft.hosts, []);
});

test('reach: what nobody holds any more can not be lost', t => {
  const wanted = draft({ a: ['x'] });
  const before = { ...inForce({ a: ['y'], b: ['x'] }), sessions: wanted.sessions };
  t.is(reach(wanted, before, holding({ a: ['y'] })).is, 'partial');
});

test('reach: what a host was to hold and has lost does not stand in the way', t => {
  const [wanted, now] = [draft({ a: ['y'], b: ['x'] }), { a: ['x'], b: ['y'] }];
  t.is(reach(wanted, inForce(now), holding(now)).is, 'blocked');
  t.deepEqual(reach(wanted, inForce(now), holding({ a: [], b: [] })), { is: 'direct', draft: wanted });
});
