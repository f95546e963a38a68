import test from 'ava';
import { reach, type Draft, type Holdings } from '../../allocator/index.ts';
import type { Plan, Resident } from '../../contracts/index.ts';
import { linear, profileOf } from './profiles.ts';

/** Plans as `{host: [models]}`; every model weighs 60 of a host's 100 bytes. */
function draft(hosts: Record<string, string[]>): Draft {
  const models = [...new Set(Object.values(hosts).flat())];
  return {
    policy: 'p',
    pools: [{ pool: 'pool-1', batcher: 'b', hosts: Object.keys(hosts), sessions: models, groups: [] }],
    hosts: Object.entries(hosts).map(([host, list]) => ({
      host,
      kind: 'k',
      models: list.map(model => ({ model, lane: 0, batches: [1], batchMax: 1 })),
    })),
    sessions: models.map(model => ({
      name: model,
      tenant: 't',
      model,
      objectiveMs: 100,
      rateHz: 1,
      prefer: 'latency',
    })),
    queries: models.map(model => {
      const stage = { stage: 's', session: model, pool: 'pool-1', budgetMs: 100, reserveMs: 0 };
      return { tenant: 't', query: model, stages: [stage] };
    }),
    refused: [],
    profiles: models.map(model => profileOf(model, linear(1, 1, 2), { persistentBytes: 60 })),
  };
}
const inForce = (hosts: Record<string, string[]>): Plan => ({ v: 1, epoch: 1, nonce: 'n', ...draft(hosts) });
const holding = (hosts: Record<string, string[]>): Map<string, Holdings> =>
  new Map(
    Object.entries(hosts).map(([host, list]) => [
      host,
      {
        memoryBytes: 100,
        residents: list.map(
          (model): Resident => ({
            model,
            state: 'resident',
            batches: [1],
            lane: 0,
            persistentBytes: 60,
            ephemeralBytes: 1,
            queued: 0,
          }),
        ),
      },
    ]),
  );

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
