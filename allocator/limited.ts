import { cutOf, isSuffix, modelOf, prefixId, suffixId, type Plan, type PlannedHost } from '../contracts/index.ts';
import { servedBy } from './sites.ts';
import type { Draft } from './planner.ts';
import { poolsOf } from './pools.ts';

/** The draft with these hosts; a session of a model that nobody holds waits with its query for the next plan. */
export function limited(draft: Draft, hosts: readonly PlannedHost[]): Draft {
  const held = new Set(hosts.flatMap(({ models }) => servedBy(models)));
  const waiting = new Set(draft.sessions.filter(s => !held.has(s.model)).map(s => s.name));
  const queries = draft.queries.filter(q => q.stages.every(stage => !waiting.has(stage.session)));
  const postponed = draft.queries.filter(q => !queries.includes(q));
  const sessions = new Set(queries.flatMap(q => q.stages.map(stage => stage.session)));
  const { capacity: _, ...rest } = draft;
  return {
    ...rest,
    hosts: hosts.filter(host => host.models.length > 0),
    queries,
    sessions: draft.sessions.filter(s => sessions.has(s.name)),
    pools: draft.pools
      .map(pool => ({
        ...pool,
        sessions: pool.sessions.filter(s => sessions.has(s)),
        hosts: pool.hosts.filter(name => hosts.some(h => h.host === name && h.models.length > 0)),
      }))
      .filter(pool => pool.hosts.length > 0),
    refused: [
      ...draft.refused,
      ...postponed.map(q => ({
        tenant: q.tenant,
        query: q.query,
        reason: 'its models are loaded as soon as others are released',
      })),
    ],
  };
}

/**
 * The draft with pools in which some models are served by what another plan gave to hosts.
 * @param kept model → the part that serves it
 * @param profiles of the other plan
 */
export function rewired(draft: Draft, kept: ReadonlyMap<string, string>, profiles: Plan['profiles']): Draft {
  if (kept.size === 0) return draft;
  const parts = new Map(draft.sessions.map(({ name, model }) => [name, kept.get(model) ?? partOf(model, name, draft)]));
  const batchers = [...new Set(draft.pools.map(pool => pool.batcher))];
  const pools = poolsOf(draft.hosts, parts, batchers, draft.pools).map(pool => ({
    ...pool,
    groups: groupsOf(pool.sessions.map(name => parts.get(name)!)),
  }));
  const isNew = (profile: Plan['profiles'][number]): boolean =>
    !draft.profiles.some(({ model, device }) => model === profile.model && device === profile.device);
  const isUsed = (profile: Plan['profiles'][number]): boolean =>
    draft.hosts.some(
      ({ kind, models }) => kind === profile.device && models.some(({ model }) => model === profile.model),
    );
  return {
    ...draft,
    pools,
    queries: draft.queries.map(query => ({
      ...query,
      stages: query.stages.map(stage => ({
        ...stage,
        pool: pools.find(({ sessions }) => sessions.includes(stage.session))!.pool,
      })),
    })),
    profiles: [...draft.profiles, ...profiles.filter(profile => isUsed(profile) && isNew(profile))],
  };
}

/** What serves a model in the pool of this session: itself, or its suffix. */
function partOf(model: string, session: string, { pools }: Draft): string {
  const group = pools
    .find(({ sessions }) => sessions.includes(session))
    ?.groups.find(({ members }) => members.includes(model));
  return group ? suffixId(model, cutOf(group.prefix)!) : model;
}

function groupsOf(parts: readonly string[]): Plan['pools'][number]['groups'] {
  const groups = new Map<string, Set<string>>();
  for (const part of parts.filter(isSuffix)) {
    const prefix = prefixId(cutOf(part)!);
    groups.set(prefix, (groups.get(prefix) ?? new Set()).add(modelOf(part)));
  }
  return [...groups].map(([prefix, members]) => ({ prefix, members: [...members] }));
}
