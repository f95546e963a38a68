import type { Plan, PlannedSession, Profile, QueryDocument } from '../contracts/index.ts';
import type { CapacityPlan } from './capacity/index.ts';
import { curvesOf } from './curve.ts';
import { sessionsOf, tenantOf, type ModelFacts, type Refusal, type Session, type StageKey } from './demand.ts';
import { mb, placesOf, plannedHosts, replicate, squeeze, type Place } from './hosts.ts';
import { jointDemands, membersOf } from './joint.ts';
import { capacityOf, previousOf } from './mended.ts';
import { compareText } from './packing.ts';
import { entryOf, type PolicyEntry, type PolicyName } from './policy.ts';
import { poolsOf } from './pools.ts';
import { cheapestKind } from './query/index.ts';
import { serveWhatCan, type Ask, type Served, type Share } from './shortage.ts';
import { supplyOf, type HostView, type Supply } from './supply.ts';
import { worthwhile } from './worthwhile.ts';

export interface PlannerSettings {
  readonly policy: PolicyName | PolicyEntry;
  /** How objectives of queries are split over their stages. Default: so that they cost least. */
  readonly split?: 'optimal' | 'even';
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
  /** Which part of the rate of the queries that aren't refused capacity is planned for, 0..1. */
  readonly servedShare: number;
  /** Sentences for operators: what is degraded and what was odd. */
  readonly notes: readonly string[];
}

/** Makes the next plan. Pure: equal input, equal plan; models stay where they are unless moving saves a device. */
export function makePlan(input: PlannerInput): Planned {
  const { settings, batchers, current } = input;
  const used = new Set(input.queries.flatMap(q => Object.values(q.stages)).map(s => input.models.get(s.model)?.id));
  const profiles = input.profiles.filter(profile => used.has(profile.model));
  const batchMax = new Map([...input.models.values()].map(model => [model.id, model.batchMax]));
  const curves = curvesOf(profiles.map(worthwhile), model => batchMax.get(model));
  const supply = supplyOf(input.hosts, curves, new Set(batchMax.keys()));

  const { asks, refused } = asksOf(input, supply);
  const { plan, places, served, squeezed, shareOf, refused: unserved } = settle(asks, input, supply);
  replicate(places, supply, settings.replicasMin);

  const all = [...served, ...squeezed].toSorted((a, b) => compareText(a[0]!.name, b[0]!.name));
  const sessions = all.flat();
  const hosts = plannedHosts(places, sessions, supply, {
    networkMs: settings.networkMs,
    batchMaxOf: model => batchMax.get(model)!,
    current: current?.hosts ?? [],
  });
  const pools = poolsOf(hosts, new Map(sessions.map(s => [s.name, s.model])), batchers, current?.pools ?? []);
  const planned = new Set(hosts.flatMap(host => host.models.map(({ model }) => `${model} ${host.kind}`)));
  const short = squeezed.length > 0 || served.flat().some(session => shareOf(session) < 1);
  const beyond = served.flat().filter(session => shareOf(session) < 1);
  const askedHz = sessions.reduce((sum, { rateHz }) => sum + rateHz, 0);
  const servedHz = served.flat().reduce((sum, session) => sum + session.rateHz * shareOf(session), 0);
  return {
    draft: {
      policy: entryOf(settings.policy).name,
      pools,
      hosts,
      sessions: sessions.map(plannedSession),
      queries: all.map(stages => plannedQuery(stages, pools)),
      ...(plan ? capacityOf(plan, places, { members: membersOf(served.flat()), short }) : {}),
      refused: [...refused, ...unserved]
        .toSorted((a, b) => compareText(a.tenant, b.tenant) || compareText(a.query, b.query))
        .map(r => ({ ...r, reason: r.reason.slice(0, 1024) })),
      profiles: profiles.filter(profile => planned.has(`${profile.model} ${profile.device}`)),
    },
    servedShare: askedHz > 0 ? servedHz / askedHz : 1,
    notes: [
      ...beyond.map(
        s => `${s.name}: ${(s.rateHz * (1 - shareOf(s))).toFixed(1)} Hz beyond capacity; add hosts or lower the rate`,
      ),
      ...squeezed
        .flat()
        .map(
          s => `${s.name}: no host has the time for it in the worst case, it is served as well as can be; add a host`,
        ),
      ...new Set(
        profiles.flatMap(profile => curvesOf([profile], () => undefined).get(profile.model, profile.device).note ?? []),
      ),
    ],
  };
}

/** The queries that can be served by some host, split by each rule of the policy, and the others. */
function asksOf(input: PlannerInput, supply: Supply): { asks: readonly (readonly Ask[])[]; refused: Refusal[] } {
  const { rules } = entryOf(input.settings.policy);
  const view = {
    models: input.models,
    rateHz: input.rateHz,
    devices: { kinds: supply.offers, curves: supply.curves, networkMs: input.settings.networkMs },
    whyNot: (model: string): string | undefined => whyNot(model, input, supply),
    rules,
    even: input.settings.split === 'even',
    current: input.current,
  };
  const missing =
    input.hosts.length === 0
      ? 'no GPU host is up; start one'
      : input.batchers.length === 0
        ? 'no prefix-batcher is up; start one'
        : undefined;
  const refused: Refusal[] = [];
  const asks: Ask[][] = rules.map(() => []);
  for (const query of input.queries) {
    const answer =
      missing === undefined ? sessionsOf(query, view) : { tenant: tenantOf(query), query: query.name, reason: missing };
    if ('reason' in answer) refused.push(answer);
    else for (const [i, sessions] of answer.entries()) asks[i]!.push(sessions);
  }
  const named = (ask: Ask): string => ask[0]!.name;
  return { asks: asks.map(each => each.toSorted((a, b) => compareText(named(a), named(b)))), refused };
}

/** Why no host can run a model, whatever the rate; undefined: some can. */
function whyNot(model: string, { profiling }: PlannerInput, { hosts, offers, curves }: Supply): string | undefined {
  const barred = hosts.every(host => host.barred.has(model)) ? hosts[0] : undefined;
  if (barred) return `${model} can't be loaded on ${barred.host}: ${barred.barred.get(model)}`;
  const known = offers.flatMap(offer => {
    const curve = curves.find(model, offer.kind);
    return curve ? [{ offer, neededBytes: curve.persistentBytes + curve.ephemeralBytes(curve.batchMin) }] : [];
  });
  if (known.length === 0) {
    const kinds = [...new Set(hosts.map(host => host.kind))].toSorted(compareText);
    return `${model} ${profiling?.(model) ?? `has no profile for ${kinds.join(', ')}`}`;
  }
  if (known.some(({ offer, neededBytes }) => neededBytes <= offer.memoryBytes)) return undefined;
  const { offer, neededBytes } = known.reduce((a, b) => (b.offer.memoryBytes > a.offer.memoryBytes ? b : a));
  return `${model} needs ${mb(neededBytes)}, a host has ${mb(offer.memoryBytes)}`;
}

/** Serves and names hosts; a query for which there is no memory anywhere is refused and makes room for the others. */
function settle(
  asks: readonly (readonly Ask[])[],
  input: PlannerInput,
  supply: Supply,
): Omit<Served, 'homeless'> & { readonly places: Place[]; readonly squeezed: readonly Ask[] } {
  const { homeless, ...rest } = serve(asks, input, supply);
  const places = rest.plan ? placesOf(rest.plan, supply) : [];
  const crowdedOut = squeeze(homeless, places, supply, input.settings.networkMs);
  if (crowdedOut.length === 0) return { ...rest, places, squeezed: homeless };
  const isOut = (ask: Ask): boolean => crowdedOut.some(r => r.tenant === ask[0]!.tenant && r.query === ask[0]!.query);
  const again = settle(
    asks.map(each => each.filter(ask => !isOut(ask))),
    input,
    supply,
  );
  return { ...again, refused: [...again.refused, ...crowdedOut] };
}

/** All of them where the hosts suffice, by the split that turns out cheaper; else what can be. */
function serve(asks: readonly (readonly Ask[])[], input: PlannerInput, supply: Supply): Served {
  const { networkMs } = input.settings;
  const { policy, rules, name: policyName } = entryOf(input.settings.policy);
  const { offers, curves } = supply;
  const attempt = (sessions: readonly Session[], shareOf: Share, from?: CapacityPlan): CapacityPlan | undefined => {
    const parts = sessions.map(session => ({ ...session, rateHz: session.rateHz * shareOf(session) }));
    const demands = jointDemands(parts, networkMs);
    const plan = policy({ devices: offers, sessions: demands, prefixes: [], curves, whole: true }, from);
    return plan.refused.length === 0 ? plan : undefined;
  };
  let best: { readonly plan: CapacityPlan; readonly served: readonly Ask[] } | undefined;
  for (const [i, candidate] of asks.entries()) {
    // Where queries stay as they are split, all rules say the same.
    if (i > 0 && JSON.stringify(candidate) === JSON.stringify(asks[0])) continue;
    const plan = attempt(candidate.flat(), () => 1, previousOf(input.current, policyName, supply));
    if (plan && (!best || plan.hosts.length < best.plan.hosts.length)) best = { plan, served: candidate };
  }
  if (best) return { ...best, homeless: [], refused: [], shareOf: () => 1 };
  const [first] = rules;
  return serveWhatCan(asks[0]!, attempt, ({ model, rateHz, budgetMs }) => {
    const stage = { model, rateHz, shareMs: budgetMs, networkMs };
    return cheapestKind(stage, offers, curves, first).costPerHour;
  });
}

const plannedSession = (session: Session): PlannedSession => ({
  name: session.name,
  tenant: session.tenant,
  model: session.model,
  objectiveMs: session.budgetMs,
  rateHz: session.rateHz,
  prefer: session.prefer,
});

function plannedQuery(stages: Ask, pools: Plan['pools']): Plan['queries'][number] {
  const { tenant, query } = stages[0]!;
  return {
    tenant,
    query,
    stages: stages.map(({ name, stage, budgetMs, reserveMs, reserveMinMs }) => {
      const pool = pools.find(p => p.sessions.includes(name))!.pool;
      return { stage, session: name, pool, budgetMs, reserveMs, reserveMinMs };
    }),
  };
}
