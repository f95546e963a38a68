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
import { Spread, type Invocation, type Place } from './invocation.ts';
import { curveOf, Fit, Lead, usualCurve, type Curve, type Policy } from './policy/index.ts';
import { Pool, type PoolEffects } from './pool.ts';
import { Seat, type Lessons, type Mixture } from './seat.ts';
import type { Ways } from './ways.ts';

/** What outlives plans. */
export interface Lasting {
  readonly config: BatcherConfig;
  readonly log: Log;
  host(name: string): Host;
  readonly lessons: Map<string, Lessons>;
  readonly ways: Ways;
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
    const policy = lasting.policy();
    const shared = policy.queues === 'host' ? undefined : groupsOf(plan, planned, members, lasting);
    const apart = shared ? [] : groupsApart(plan, planned, members, lasting);
    const pool = new Pool<Invocation>({
      name: planned.pool,
      groups: shared ? [...new Set(shared.values())] : apart.map(({ group }) => group),
      hosts: planned.hosts.map(name => lasting.host(name)),
      policy,
      effects: lasting.effects(planned.pool),
    });
    pools.set(planned.pool, pool);
    for (const { name, model, prefer, tenant } of members) {
      const postMs = Math.max(0, ...plan.profiles.filter(p => modelOf(p.model) === model).map(p => p.postMs));
      const returnMs = (): number => lasting.ways.returnMs + postMs;
      const placeIn = (group: Group<Invocation>): Place => {
        const session = { name, prefersLatency: prefer === 'latency', tenant, member: group.models.indexOf(model) };
        return { pool, group, session, returnMs };
      };
      if (shared) places.set(name, placeIn(shared.get(model)!));
      else {
        const own = apart.filter(({ of }) => of.has(name));
        const choice = own.map(({ group }) => placeIn(group));
        if (choice.length > 0)
          places.set(name, {
            ...choice[0]!,
            spread: new Spread(
              choice,
              own.map(({ weight }) => weight),
            ),
          });
      }
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

/** A group of one host's own, for some sessions. */
interface Apart {
  readonly group: Group<Invocation>;
  /** Names of the sessions. */
  readonly of: ReadonlySet<string>;
  readonly weight: number;
}

/**
 * A group for what each host takes of each session, as capacity was planned. Sessions that it says nothing of (no host has the time for
 * them) are on all hosts that hold their models, in equal parts.
 */
function groupsApart(plan: Plan, pool: PlannedPool, sessions: readonly PlannedSession[], lasting: Lasting): Apart[] {
  const found: Apart[] = [];
  const open = (host: string, its: readonly PlannedSession[], part: { batch?: number; rateHz: number }): void => {
    const here = { ...pool, hosts: [host] };
    const prefix = pool.groups.find(({ members }) => members.includes(its[0]!.model))?.prefix;
    const models = [...new Set(its.map(({ model }) => model))];
    const rateHz = sumOf(its);
    const group = new Group<Invocation>({
      models,
      rateHz: part.rateHz,
      budgetMs: Math.min(...its.map(({ objectiveMs }) => objectiveMs)),
      batchPlanned: part.batch,
      ...(rateHz > 0
        ? { shares: models.map(model => sumOf(its.filter(session => session.model === model)) / rateHz) }
        : {}),
    });
    group.seats = prefix
      ? mixedSeats(plan, here, prefix, group, lasting)
      : seatsOf(plan, here, models[0]!, group, lasting);
    if (group.seats.length > 0)
      found.push({ group, of: new Set(its.map(({ name }) => name)), weight: Math.max(part.rateHz, WEIGHT_MIN) });
  };
  const planned = new Set<string>();
  for (const { hosts, sessions: parts } of plan.capacity ?? []) {
    for (const part of parts) {
      const of = new Set(part.of);
      const its = sessions.filter(({ name }) => of.has(name));
      if (its.length === 0) continue;
      for (const host of hosts) if (pool.hosts.includes(host)) open(host, its, part);
      for (const { name } of its) planned.add(name);
    }
  }
  for (const its of groupedBy(
    sessions.filter(({ name }) => !planned.has(name)),
    ({ model }) => model,
  ).values())
    for (const host of pool.hosts) open(host, its, { rateHz: sumOf(its) });
  return found;
}

/** Rates that are planned at 0, since the hosts do not suffice, come all the same. */
const WEIGHT_MIN = 1e-3;

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
    usual: group,
  });
}

function lessonsOf(host: string, model: string, profile: Profile, { config, lessons, ways }: Lasting): Lessons {
  const key = lessonsKey(host, model);
  let known = lessons.get(key);
  if (!known) {
    const lead = new Lead({
      ways,
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
