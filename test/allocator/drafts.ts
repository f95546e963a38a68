import type { Draft, Holdings } from '../../allocator/index.ts';
import type { Plan, Resident } from '../../contracts/index.ts';
import { linear, profileOf } from './profiles.ts';

/** Plans as `{host: [models]}`; every model weighs 60 of a host's 100 bytes. */
export function draft(hosts: Record<string, string[]>): Draft {
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
      const stage = { stage: 's', session: model, pool: 'pool-1', budgetMs: 100, reserveMs: 0, reserveMinMs: 0 };
      return { tenant: 't', query: model, stages: [stage] };
    }),
    refused: [],
    profiles: models.map(model => profileOf(model, linear(1, 1, 2), { persistentBytes: 60 })),
  };
}
export const inForce = (hosts: Record<string, string[]>): Plan => ({ v: 1, epoch: 1, nonce: 'n', ...draft(hosts) });
export const holding = (hosts: Record<string, string[]>): Map<string, Holdings> =>
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
