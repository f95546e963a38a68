import type { Plan } from '../contracts/index.ts';
import { tenantOf } from './demand.ts';
import { makeGroupedPlan } from './groups/index.ts';
import type { Holdings } from './holdings.ts';
import { limited } from './limited.ts';
import type { Draft, PlannerInput } from './planner.ts';
import { freshName } from './pools.ts';

interface Query {
  readonly tenant: string;
  readonly query: string;
}

/**
 * For when the plan that is wished for can't be reached: the plan in force, and what it doesn't serve on hosts that it doesn't use. Nothing has to
 * go for it.
 * @returns undefined when no query more would be served
 */
export function beside(current: Plan, input: PlannerInput, holdings: ReadonlyMap<string, Holdings>): Draft | undefined {
  const { v: _, epoch: __, nonce: ___, ...inForce } = current;
  const isUp = (host: string): boolean => holdings.has(host);
  const kept = limited(
    inForce,
    inForce.hosts.map(host => (isUp(host.host) ? host : { ...host, models: [] })),
  );
  const hosts = input.hosts.filter(({ host }) => !kept.hosts.some(other => other.host === host));
  const queries = input.queries.filter(query => !has(kept.queries, { tenant: tenantOf(query), query: query.name }));
  if (hosts.length === 0 || queries.length === 0) return undefined;
  const { draft: more } = makeGroupedPlan({ ...input, hosts, queries, current: undefined });
  if (more.queries.length === 0) return undefined;
  const taken = new Set(kept.pools.map(({ pool }) => pool));
  const names = new Map(more.pools.map(({ pool }) => [pool, freshName(taken)]));
  return {
    ...kept,
    hosts: [...kept.hosts, ...more.hosts],
    pools: [...kept.pools, ...more.pools.map(pool => ({ ...pool, pool: names.get(pool.pool)! }))],
    sessions: [...kept.sessions, ...more.sessions],
    queries: [
      ...kept.queries,
      ...more.queries.map(query => ({
        ...query,
        stages: query.stages.map(stage => ({ ...stage, pool: names.get(stage.pool)! })),
      })),
    ],
    refused: [...more.refused, ...kept.refused.filter(query => !has(more.refused, query) && !has(more.queries, query))],
    profiles: [
      ...kept.profiles,
      ...more.profiles.filter(p => !kept.profiles.some(q => q.model === p.model && q.device === p.device)),
    ],
  };
}

const has = (queries: readonly Query[], { tenant, query }: Query): boolean =>
  queries.some(other => other.tenant === tenant && other.query === query);
