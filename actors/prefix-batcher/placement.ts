import type { Log, Plan, PlannedSession, Profile } from '../../contracts/index.ts';
import type { BatcherConfig } from './config.ts';
import { Group } from './group.ts';
import type { Host } from './host.ts';
import type { Invocation, Place } from './invocation.ts';
import { curveOf, Fit, Lead, type Policy } from './policy/index.ts';
import { Pool, type PoolEffects } from './pool.ts';
import { Seat, type Lessons } from './seat.ts';

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
    const byModel = groupedBy(members, session => session.model);
    const groups = new Map([...byModel].map(([model, of]) => [model, groupOf(plan, planned, model, of, lasting)]));
    const pool = new Pool<Invocation>({
      name: planned.pool,
      groups: [...groups.values()],
      hosts: planned.hosts.map(name => lasting.host(name)),
      policy: lasting.policy(),
      effects: lasting.effects(planned.pool),
    });
    pools.set(planned.pool, pool);
    for (const { name, model, prefer } of members) {
      const postMs = Math.max(0, ...plan.profiles.filter(p => p.model === model).map(p => p.postMs));
      const returnMs = lasting.config.returnMs + postMs;
      const session = { name, prefersLatency: prefer === 'latency' };
      places.set(name, { pool, group: groups.get(model)!, session, returnMs });
    }
  }
  assignSeats(pools);
  return { pools, places, elsewhere };
}

type PlannedPool = Plan['pools'][number];

/** Today a group is one model; a prefix group will be several with one queue. */
function groupOf(
  plan: Plan,
  pool: PlannedPool,
  model: string,
  sessions: readonly PlannedSession[],
  lasting: Lasting,
): Group<Invocation> {
  const group = new Group<Invocation>({
    models: [model],
    rateHz: lasting.rateHz(pool.pool, model) ?? sessions.reduce((sum, { rateHz }) => sum + rateHz, 0),
    budgetMs: Math.min(...sessions.map(({ objectiveMs }) => objectiveMs)),
  });
  const usual = { bytesPerItem: () => group.bytesPerItem, budgetMs: () => group.budgetMs };
  group.seats = pool.hosts.flatMap(name => {
    const planned = plan.hosts.find(({ host }) => host === name);
    const batchMax = planned?.models.find(held => held.model === model)?.batchMax;
    if (!planned || batchMax === undefined) return [];
    const profile = plan.profiles.find(p => p.model === model && p.device === planned.kind);
    if (!profile) {
      lasting.log.warn('a host is not used for a model: the plan has no profile', {
        host: name,
        model,
        pool: pool.pool,
      });
      return [];
    }
    const { marginMsMin } = lasting.config;
    const lessons = lessonsOf(name, model, profile, lasting);
    const curve = curveOf(profile, batchMax);
    return [new Seat({ host: lasting.host(name), model, curve, lessons, marginMsMin, ...usual })];
  });
  return group;
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
