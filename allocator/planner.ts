import type { Plan, PlannedSession, Profile, QueryDocument } from '../contracts/index.ts';
import { curvesOf, type Curve, type Curves } from './curve.ts';
import { sessionsOf, tenantOf, type ModelFacts, type Refusal, type Session, type StageKey } from './demand.ts';
import { classesOf, namedHosts, type HostView } from './hosts.ts';
import { layOut, type Fleet, type HostClass } from './fleet.ts';
import { compareText } from './packing.ts';
import { poolsOf } from './pools.ts';
import { worthwhile } from './worthwhile.ts';

export interface PlannerSettings {
  /** Reserve per stage for the ways between router, batcher and host. */
  readonly networkMs: number;
  /** Each model on at least so many hosts, where memory allows. */
  readonly replicasMin: number;
}

export interface PlannerInput {
  /** By name. */
  readonly models: ReadonlyMap<string, ModelFacts>;
  readonly queries: readonly QueryDocument[];
  readonly rateHz: (key: StageKey) => number | undefined;
  readonly profiles: readonly Profile[];
  readonly hosts: readonly HostView[];
  /** Live ones. */
  readonly batchers: readonly string[];
  readonly current: Plan | undefined;
  readonly settings: PlannerSettings;
  /** What is being done about a missing profile, e.g. "is being profiled on gpu-a". */
  readonly profiling?: (model: string) => string | undefined;
}

/** A plan without its number. */
export type Draft = Omit<Plan, 'v' | 'epoch' | 'nonce'>;

export interface Planned {
  readonly draft: Draft;
  /** Sentences for operators: what is degraded and what was odd. */
  readonly notes: readonly string[];
}

/** Makes the next plan. Pure: equal input, equal plan; models stay where they are unless moving saves a device. */
export function makePlan(input: PlannerInput): Planned {
  const { settings } = input;
  const queries = input.queries.toSorted(
    (a, b) => compareText(tenantOf(a), tenantOf(b)) || compareText(a.name, b.name),
  );
  const used = new Set(queries.flatMap(q => Object.values(q.stages)).map(s => input.models.get(s.model)?.id));
  const profiles = input.profiles.filter(profile => used.has(profile.model));
  const batchMax = new Map([...input.models.values()].map(model => [model.id, model.batchMax]));
  const curves = curvesOf(profiles.map(worthwhile), model => batchMax.get(model));
  const classes = classesOf(input.hosts);
  const refused: Refusal[] = [];
  const wanted = new Map<string, readonly Session[]>();
  for (const query of queries) {
    const answer = missing(input) ?? sessionsOf(query, { ...demandView(input, curves, classes) });
    if (typeof answer === 'string') refused.push({ tenant: tenantOf(query), query: query.name, reason: answer });
    else if ('reason' in answer) refused.push(answer);
    else wanted.set(`${tenantOf(query)}.${query.name}`, answer);
  }
  const fleet = settle(wanted, refused, curves, classes, settings);
  const sessions = [...wanted.values()].flat();
  const hosts = namedHosts(fleet, sessions, input, curves);
  const pools = poolsOf(
    hosts,
    new Map(sessions.map(s => [s.name, s.model])),
    input.batchers,
    input.current?.pools ?? [],
  );
  const planned = new Set(hosts.flatMap(host => host.models.map(({ model }) => `${model} ${host.kind}`)));
  return {
    draft: {
      policy: 'squishy',
      pools,
      hosts,
      sessions: sessions.map(plannedSession),
      queries: [...wanted.values()].map(stages => plannedQuery(stages, pools)),
      refused: refused.map(r => ({ ...r, reason: r.reason.slice(0, 1024) })),
      profiles: profiles.filter(profile => planned.has(`${profile.model} ${profile.device}`)),
    },
    notes: notesOf(fleet, profiles),
  };
}

/** What stands in the way of any plan at all. */
const missing = (input: PlannerInput): string | undefined =>
  input.hosts.length === 0
    ? 'no GPU host is up; start one'
    : input.batchers.length === 0
      ? 'no prefix-batcher is up; start one'
      : undefined;

function demandView(input: PlannerInput, curves: Curves, classes: readonly HostClass[]) {
  const kinds = [...new Set(classes.map(c => c.kind))];
  return {
    models: input.models,
    rateHz: input.rateHz,
    networkMs: input.settings.networkMs,
    fastest: (model: string): Curve | undefined => {
      const barredOnAll = input.hosts.every(host => host.barred.has(model));
      const known = barredOnAll ? [] : kinds.flatMap(kind => curves.find(model, kind) ?? []);
      return known.toSorted((a, b) => a.latencyMs(a.batchMin) - b.latencyMs(b.batchMin))[0];
    },
    whyNoCurve: (model: string): string => {
      const trouble = input.hosts.every(host => host.barred.has(model)) ? input.hosts[0] : undefined;
      if (trouble) return `${model} can't be loaded on ${trouble.host}: ${trouble.barred.get(model)}`;
      return `${model} ${input.profiling?.(model) ?? `has no profile for ${kinds.join(', ')}`}`;
    },
  };
}

/** Lays the sessions out; a query of which one can't be held is refused, whole, and makes room for the others. */
function settle(
  wanted: Map<string, readonly Session[]>,
  refused: Refusal[],
  curves: Curves,
  classes: readonly HostClass[],
  settings: PlannerSettings,
): Fleet {
  for (;;) {
    const fleet = layOut([...wanted.values()].flat(), { classes, curves, networkMs: settings.networkMs });
    const last = fleet.unheld.at(-1);
    if (!last) return fleet;
    for (const [key, stages] of wanted) {
      const stage = stages.find(s => s.name === last.session);
      if (!stage) continue;
      wanted.delete(key);
      refused.push({ tenant: stage.tenant, query: stage.query, reason: `stage ${stage.stage}: ${last.reason}` });
    }
  }
}

const plannedSession = (session: Session): PlannedSession => ({
  name: session.name,
  tenant: session.tenant,
  model: session.model,
  objectiveMs: session.budgetMs,
  rateHz: session.rateHz,
  prefer: session.prefer,
});

function plannedQuery(stages: readonly Session[], pools: Plan['pools']): Plan['queries'][number] {
  const { tenant, query } = stages[0]!;
  return {
    tenant,
    query,
    stages: stages.map(({ name, stage, budgetMs, reserveMs }) => {
      const pool = pools.find(p => p.sessions.includes(name))!.pool;
      return { stage, session: name, pool, budgetMs, reserveMs };
    }),
  };
}

function notesOf(fleet: Fleet, profiles: readonly Profile[]): string[] {
  const short = [...fleet.shortHz].map(
    ([session, hz]) => `${session}: ${hz.toFixed(1)} Hz beyond capacity; add hosts or lower the rate`,
  );
  const odd = curvesNotes(profiles);
  const tight = fleet.nodes
    .filter(({ node }) => node.kind === 'tight')
    .flatMap(({ node }) =>
      node.shares.map(s => `${s.load.curve.model}: an objective this tight needs a device of its own`),
    );
  return [...new Set([...short, ...tight, ...odd])];
}

function curvesNotes(profiles: readonly Profile[]): string[] {
  const curves = curvesOf(profiles, () => undefined);
  return profiles.flatMap(({ model, device }) => curves.get(model, device).note ?? []);
}
