import { isPrefix, modelOf, type Plan, type PlannedHost, type Resident } from '../contracts/index.ts';
import type { Draft } from './planner.ts';

/** What a host says that it holds. */
export interface Holdings {
  readonly memoryBytes: number;
  readonly residents: readonly Resident[];
}

export type Reach =
  | { readonly is: 'direct'; readonly draft: Draft }
  /** A plan on the way: once it is in force and drained, the next one comes closer. */
  | { readonly is: 'partial'; readonly draft: Draft; readonly detail: string }
  | { readonly is: 'blocked'; readonly detail: string };

/** `all`: whatever hosts hold may be in use, by a plan that is not known. */
export type InUse = 'planned' | 'all';

/**
 * Make before break: a host loads what is new beside what it serves now. Where memory can't hold both, the next plan
 * leaves that host with what old and new have in common (the others hold the rest meanwhile), so that it can drain
 * first. When a model that is served now would be nowhere then, the plan can't be reached safely.
 */
export function reach(
  draft: Draft,
  current: Pick<Plan, 'hosts' | 'sessions'> | undefined,
  holdings: ReadonlyMap<string, Holdings>,
): Reach {
  const crowded: string[] = [];
  const hosts = draft.hosts.map(host => {
    const planned = current?.hosts.find(h => h.host === host.host);
    const held = holdings.get(host.host);
    // What it lost when it was started anew, it need not keep.
    const old = planned && {
      ...planned,
      models: planned.models.filter(({ model }) => held?.residents.some(r => r.model === model)),
    };
    if (!old || !held || holdsBoth(host, old, held, draft)) return host;
    crowded.push(host.host);
    const kept = new Set(old.models.map(m => m.model));
    return { ...host, models: host.models.filter(m => kept.has(m.model)) };
  });
  if (crowded.length === 0) return { is: 'direct', draft };
  const between = limited(draft, hosts);
  const servedNow = new Set(current?.sessions.map(session => session.model));
  const servedThen = new Set(hosts.flatMap(servedBy));
  const lost = [...new Set(draft.sessions.map(s => s.model))].filter(m => servedNow.has(m) && !servedThen.has(m));
  const who = crowded.join(', ');
  if (lost.length > 0) {
    return {
      is: 'blocked',
      detail:
        `${who} can't hold old and new models together, and nobody else holds ${lost.join(', ')}: ` +
        'add a host or remove a query',
    };
  }
  return { is: 'partial', draft: between, detail: `${who} can't hold old and new models together: it releases first` };
}

/** What hosts hold, as if a plan gave it to them: what stays where it isn't known which plan uses it. */
export const asPlanned = (holdings: ReadonlyMap<string, Holdings>): PlannedHost[] =>
  [...holdings].map(([host, { residents }]) => ({
    host,
    kind: '',
    models: residents
      .filter(({ state }) => state !== 'failed' && state !== 'releasing')
      .map(({ model, lane, batches }) => ({ model, lane, batches, batchMax: Math.max(1, ...batches) })),
  }));

/** The plan once more, as far as hosts hold what it gives them: it moves nothing. */
export function renewed(current: Plan, holdings: ReadonlyMap<string, Holdings>): Draft {
  const { v: _, epoch: __, nonce: ___, ...plan } = current;
  const hosts = plan.hosts.map(host => {
    const resident = holdings.get(host.host)?.residents.filter(({ state }) => state === 'resident') ?? [];
    return { ...host, models: host.models.filter(({ model }) => resident.some(r => r.model === model)) };
  });
  return limited(plan, hosts);
}

/** Models on the host that neither plan gives it: what may go before anything is loaded. */
export const garbage = (held: Holdings, ...plans: readonly (PlannedHost | undefined)[]): string[] => {
  const wanted = new Set(plans.flatMap(plan => plan?.models.map(m => m.model) ?? []));
  return held.residents.map(r => r.model).filter(model => !wanted.has(model));
};

/**
 * What the host would use with all of these: ΣP + the largest E. A resident's own figures count before the profile's.
 */
export function memoryWith(models: PlannedHost['models'], kind: string, held: Holdings, draft: Draft): number {
  let persistent = 0;
  let ephemeral = 0;
  for (const { model, batchMax } of models) {
    const resident = held.residents.find(r => r.model === model && r.state === 'resident');
    const profile = draft.profiles.find(p => p.model === model && p.device === kind);
    const point = profile?.points.find(p => p.batch >= batchMax) ?? profile?.points.at(-1);
    persistent += resident?.persistentBytes ?? profile?.persistentBytes ?? 0;
    ephemeral = Math.max(
      ephemeral,
      resident?.ephemeralBytes ?? 0,
      Math.min(point?.ephemeralBytes ?? 0, held.memoryBytes),
    );
  }
  return persistent + ephemeral;
}

function holdsBoth(host: PlannedHost, old: PlannedHost, held: Holdings, draft: Draft): boolean {
  const fresh = host.models.filter(m => !held.residents.some(r => r.model === m.model));
  if (fresh.length === 0) return true;
  const leaving = old.models.filter(m => !host.models.some(n => n.model === m.model));
  if (leaving.length === 0) return true;
  return memoryWith([...host.models, ...leaving], host.kind, held, draft) <= held.memoryBytes;
}

/** The draft with these hosts; a session of a model that nobody holds waits with its query for the next plan. */
function limited(draft: Draft, hosts: readonly PlannedHost[]): Draft {
  const held = new Set(hosts.flatMap(servedBy));
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

/** Models whose requests a host can serve with what it holds. */
const servedBy = ({ models }: PlannedHost): string[] =>
  models.filter(({ model }) => !isPrefix(model)).map(({ model }) => modelOf(model));
