import type { Draft, Holdings } from '../../allocator/index.ts';
import { cutOf, isPrefix, isSuffix, modelOf, type Plan, type Resident } from '../../contracts/index.ts';
import { linear, profileOf } from './profiles.ts';

type Hosts = Record<string, string[]>;
type Bytes = (part: string) => number;
const EACH: Bytes = () => 60;

/** Plans as `{host: [models]}`, prefixes and suffixes among them; every part weighs 60 of a host's 100 bytes unless `bytes` says otherwise. */
export function draft(hosts: Hosts, bytes = EACH): Draft {
  const parts = [...new Set(Object.values(hosts).flat())];
  const models = [...new Set(parts.filter(part => !isPrefix(part)).map(modelOf))];
  const groups = parts.filter(isPrefix).map(prefix => ({
    prefix,
    members: parts.filter(part => isSuffix(part) && cutOf(part) === cutOf(prefix)).map(modelOf),
  }));
  return {
    policy: 'p',
    pools: [{ pool: 'pool-1', batcher: 'b', hosts: Object.keys(hosts), sessions: models, groups }],
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
    profiles: parts.map(part => profileOf(part, linear(1, 1, 2), { persistentBytes: bytes(part) })),
  };
}
export const inForce = (hosts: Hosts, bytes = EACH): Plan => ({ v: 1, epoch: 1, nonce: 'n', ...draft(hosts, bytes) });
export const holding = (hosts: Hosts, bytes = EACH): Map<string, Holdings> =>
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
            persistentBytes: bytes(model),
            ephemeralBytes: 1,
            queued: 0,
          }),
        ),
      },
    ]),
  );
