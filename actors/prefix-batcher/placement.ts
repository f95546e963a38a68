import {
  cutOf,
  modelOf,
  suffixId,
  type Log,
  type Plan,
  type PlannedHost,
  type PlannedSession,
  type Profile,
} from '../../contracts/index.ts';
import type { BatcherConfig } from './config.ts';
import { Group } from './group.ts';
import type { Host } from './host.ts';
import type { Invocation, Place } from './invocation.ts';
import { curveOf, Fit, Lead, usualCurve, type Curve, type Policy } from './policy/index.ts';
import { Pool, type PoolEffects } from './pool.ts';
import { Seat, type Lessons, type Mixture } from './seat.ts';

/** What outlives plans. */
export interface Lasting {
  readonly config: BatcherConfig;
  readonly log: Log;
  host(name: string): Host;
  readonly lessons: Map<string, Lessons>;
  /** The rate that was measured of a model in a pool, if it was. */
  rateHz(pool: string, model: string): number | undefined;
  policy(): Policy;
  effects(pool: string): PoolEffects<Invocation>;
}

/** The pools of one plan that this batcher is in charge of. */
export interface Placement {
  readonly pools: ReadonlyMap<string, Pool<Invocation>>;
  /** By the name of the session. */
  readonly places: ReadonlyMap<string, Place>;
  /** Sessions that the plan gives to other batchers. */
  readonly elsewhere: ReadonlySet<string>;
}

/** Builds the pools that `plan` puts `batcher` in charge of; hosts and what was learned of them are taken over. */
export function placementOf(plan: Plan, batcher: string, lasting: Lasting): Placement {
  const sessions = new Map(plan.sessions.map(session => [session.name, session]));
  const pools = new Map<string, Pool<Invocation>>();
  const places = new Map<string, Place>();
  const elsewhere = new Set<string>();
  for (const planned of plan.pools) {
    if (planned.batcher !== batcher) {
      for (const name of planned.sessions) elsewhere.add(name);
      continue;
    }
    const members = planned.sessions.flatMap(name => sessions.get(name) ?? []);
    const groups = groupsOf(plan, planned, members, lasting);
    const pool = new Pool<Invocation>({
      name: planned.pool,
      groups: [...new Set(groups.values())],
      hosts: planned.hosts.map(name => lasting.host(name)),
      policy: lasting.policy(),
      effects: lasting.effects(planned.pool),
    });
    pools.set(planned.pool, pool);
    for (const { name, model, prefer, tenant } of members) {
      const postMs = Math.max(0, ...plan.profiles.filter(p => modelOf(p.model) === model).map(p => p.postMs));
      const returnMs = lasting.config.returnMs + postMs;
      const group = groups.get(model)!;
      const session = { name, prefersLatency: prefer === 'latency', tenant, member: group.models.indexOf(model) };
      places.set(name, { pool, group, session, returnMs });
    }
  }
  assignSeats(pools);
  return { pools, places, elsewhere };
}

type PlannedPool = Plan['pools'][number];

/** By model: the group of its own, or the one that it shares behind a prefix. */
function groupsOf(
  plan: Plan,
  pool: PlannedPool,
  sessions: readonly PlannedSession[],
  lasting: Lasting,
): Map<string, Group<Invocation>> {
  const groups = new Map<string, Group<Invocation>>();
  const byModel = groupedBy(sessions, session => session.model);
  const open = (models: readonly string[], seatsOf: (group: Group<Invocation>) => Seat[]): void => {
    const its = models.flatMap(model => byModel.get(model)!);
    const ratesHz = models.map(model => lasting.rateHz(pool.pool, model) ?? sumOf(byModel.get(model)!));
    const rateHz = ratesHz.reduce((sum, of) => sum + of, 0);
    const group = new Group<Invocation>({
      models,
      rateHz,
      budgetMs: Math.min(...its.map(({ objectiveMs }) => objectiveMs)),
      ...(rateHz > 0 ? { shares: ratesHz.map(of => of / rateHz) } : {}),
    });
    group.seats = seatsOf(group);
    for (const model of models) groups.set(model, group);
  };
  for (const { prefix, members } of pool.groups) {
    const models = members.filter(model => byModel.has(model) && !groups.has(model));
    if (models.length > 0) open(models, group => mixedSeats(plan, pool, prefix, group, lasting));
  }
  for (const model of byModel.keys())
    if (!groups.has(model)) open([model], group => seatsOf(plan, pool, model, group, lasting));
  return groups;
}

const sumOf = (sessions: readonly PlannedSession[]): number => sessions.reduce((sum, { rateHz }) => sum + rateHz, 0);

function seatsOf(plan: Plan, pool: PlannedPool, model: string, group: Group<Invocation>, lasting: Lasting): Seat[] {
  return plannedHosts(plan, pool).flatMap(host => {
    const held = heldOn(plan, host, model, lasting);
    return held ? [seatOn(host, model, { ...held, lasting, group })] : [];
  });
}

/** On the hosts that get the prefix and at least one of the suffixes. */
function mixedSeats(plan: Plan, pool: PlannedPool, prefix: string, group: Group<Invocation>, lasting: Lasting): Seat[] {
  const mixtures = new Map<string, { mixture: Mixture; curve: Curve }>();
  const cut = cutOf(prefix)!;
  return plannedHosts(plan, pool).flatMap(host => {
    const trunk = heldOn(plan, host, prefix, lasting);
    if (!trunk) return [];
    const held = group.models.map(model => heldOn(plan, host, suffixId(model, cut), lasting));
    if (held.every(one => one === undefined)) return [];
    // Batches of any composition must do: the smallest bound counts.
    const least = (what: 'batchMax' | 'runMax'): number =>
      held.reduce((min, one) => Math.min(min, one?.[what] ?? min), trunk[what]);
    const [batchMax, runMax] = [least('batchMax'), least('runMax')];
    const alike = [host.kind, batchMax, runMax, ...held.map(one => (one ? 1 : 0))].join(' ');
    let known = mixtures.get(alike);
    if (!known) {
      const mix = {
        prefix: curveOf(trunk.profile, batchMax, runMax),
        suffixes: held.map(one => one && curveOf(one.profile, batchMax, runMax)),
      };
      const suffixes = held.map((one, i) => one && suffixId(group.models[i]!, cut));
      known = { mixture: { mix, prefix, suffixes }, curve: usualCurve(mix, group.shares) };
      mixtures.set(alike, known);
    }
    return [seatOn(host, prefix, { ...known, runMax, profile: trunk.profile, lasting, group })];
  });
}

const plannedHosts = (plan: Plan, pool: PlannedPool): PlannedHost[] =>
  pool.hosts.flatMap(name => plan.hosts.find(({ host }) => host === name) ?? []);

/** How a host is to hold a model or part. */
function heldOn(plan: Plan, { host, kind, models }: PlannedHost, part: string, { log }: Lasting) {
  const held = models.find(({ model }) => model === part);
  if (held === undefined) return undefined;
  const { batchMax: runMax, grantMax: batchMax = runMax } = held;
  const profile = plan.profiles.find(p => p.model === part && p.device === kind);
  if (profile) return { batchMax, runMax, profile, curve: curveOf(profile, batchMax, runMax) };
  log.warn('a host is not used for a model: the plan has no profile', { host, model: part });
  return undefined;
}

interface SeatParts {
  readonly curve: Curve;
  readonly profile: Profile;
  readonly mixture?: Mixture;
  readonly runMax: number;
  readonly group: Group<Invocation>;
  readonly lasting: Lasting;
}

function seatOn({ host: name }: PlannedHost, model: string, parts: SeatParts): Seat {
  const { curve, runMax, profile, mixture, group, lasting } = parts;
  return new Seat({
    host: lasting.host(name),
    model,
    curve,
    runMax,
    ...(mixture ? { mixture } : {}),
    lessons: lessonsOf(name, model, profile, lasting),
    marginMsMin: lasting.config.marginMsMin,
    bytesPerItem: () => group.bytesPerItem,
    budgetMs: () => group.budgetMs,
  });
}

function lessonsOf(host: string, model: string, profile: Profile, { config, lessons }: Lasting): Lessons {
  const key = lessonsKey(host, model);
  let known = lessons.get(key);
  if (!known) {
    const lead = new Lead({
      transitMs: config.leadTransitMs,
      fixedMs: config.leadFixedMs,
      bytesPerMs: config.leadBytesPerMs,
      perItemMs: profile.preMs / config.decodersPerHost,
      maxMs: config.leadMsMax,
    });
    known = { fit: new Fit(), lead };
    lessons.set(key, known);
  }
  return known;
}

/** Hosts and model ids hold no space. */
export const lessonsKey = (host: string, model: string): string => `${host} ${model}`;

function assignSeats(pools: ReadonlyMap<string, Pool<Invocation>>): void {
  const seats = [...pools.values()].flatMap(pool => pool.groups.flatMap(group => group.seats));
  for (const [host, its] of groupedBy(seats, seat => seat.host)) host.seats = its;
}

function groupedBy<K, V>(values: readonly V[], keyOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group) group.push(value);
    else groups.set(keyOf(value), [value]);
  }
  return groups;
}
