import {
  beside,
  Falls,
  makeGroupedPlan,
  RateBook,
  type Draft,
  type Planned,
  type PlannerInput,
  type PolicyEntry,
  type StageKey,
} from '../../allocator/index.ts';
import { PolicyError, type Clock, type Plan, type RouterBeat } from '../../contracts/index.ts';
import type { Bars } from './bars.ts';
import type { Catalog } from './catalog.ts';
import type { Cluster } from './cluster.ts';
import type { AllocatorConfig } from './config.ts';

export interface DraftingPorts {
  readonly clock: Clock;
  readonly config: AllocatorConfig;
  readonly planning: PolicyEntry;
  readonly catalog: Catalog;
  readonly cluster: Cluster;
  readonly bars: Bars;
  /** What is being done about a model without a profile. */
  profiling(model: string): string | undefined;
}

/** Makes drafts of plans from what is known now, and remembers for which rates. */
export class Drafting {
  readonly rates: RateBook;
  readonly #ports: DraftingPorts;
  /** By session: what the latest plan was made for. */
  #plannedHz: ReadonlyMap<string, number> = new Map();
  readonly #falls = new Falls();
  #isNew = false;
  #outgrown: string | undefined;
  #toldAtMs = -Infinity;
  #grouped: ReadonlySet<string> = new Set();

  constructor(ports: DraftingPorts) {
    this.#ports = ports;
    const { averageMs } = ports.config;
    this.rates = new RateBook({ averageMs, enoughMs: averageMs });
  }

  /** From now on rates are compared with those of this plan. */
  plannedFor(plan: Pick<Plan, 'sessions' | 'pools'> | undefined): void {
    this.#outgrown = undefined;
    this.#isNew = true;
    const before = this.#plannedHz;
    this.#plannedHz = new Map(plan?.sessions.map(({ name, rateHz }) => [name, rateHz]));
    this.#falls.planned(before, this.#plannedHz, this.#ports.clock.nowMs());
    const groups = plan?.pools.flatMap(pool => pool.groups ?? []) ?? [];
    this.#grouped = new Set(groups.flatMap(({ members }) => members));
  }

  /** Models that are planned behind a prefix. */
  get grouped(): ReadonlySet<string> {
    return this.#grouped;
  }

  draft(current: Plan | undefined, draining: ReadonlySet<string>): Planned {
    return makeGroupedPlan(this.#input(current, draining));
  }

  /** What the plan in force doesn't serve, beside it; undefined: no more would be served. */
  beside(inForce: Plan, draining: ReadonlySet<string>): Draft | undefined {
    return unlessPolicyFails(() => beside(inForce, this.#input(inForce, draining), this.#ports.cluster.holdings()));
  }

  #input(current: Plan | undefined, draining: ReadonlySet<string>): PlannerInput {
    const { catalog, cluster, config, bars, planning } = this.#ports;
    return {
      models: catalog.models,
      queries: [...catalog.queries.values()],
      profiles: [...catalog.profiles.values()],
      hosts: cluster.views(draining, host => bars.on(host)),
      batchers: [...cluster.batchers.keys()].toSorted(),
      current,
      settings: {
        policy: planning,
        split: config.split,
        networkMs: config.networkMs,
        replicasMin: config.replicasMin,
      },
      profiling: model => this.#ports.profiling(model),
      rateHz: key => this.#rateHz(key),
    };
  }

  /** {@link around}; undefined when a policy of a user's failed, which ends the actor. */
  draftAround(...args: Parameters<Drafting['around']>): Planned | undefined {
    return unlessPolicyFails(() => this.around(...args));
  }

  /** Around hosts that are not well, unless others can't serve what they do. */
  around(current: Plan | undefined, draining: ReadonlySet<string>, ailing: readonly string[]): Planned {
    const all = (): Planned => this.draft(current, draining);
    if (ailing.length === 0) return all();
    const around = this.draft(current, new Set([...draining, ...ailing]));
    const { draft, notes } = around;
    if (draft.refused.length === 0 && notes.length === 0) return around;
    const withThem = all();
    const fewer = withThem.draft.refused.length - draft.refused.length || withThem.notes.length - notes.length;
    return fewer < 0 ? withThem : around;
  }

  hear(router: string, beat: RouterBeat): void {
    this.rates.hear(router, beat, this.#ports.clock.nowMs());
    this.#isNew = true;
  }

  /** At what has come since it looked last: since when a rate is low must be known, whatever else goes on. */
  look(): void {
    if (this.#isNew) this.#outgrown = this.#whoOutgrew();
    this.#isNew = false;
  }

  /** A session whose rate asks for another plan, in words; not more often than plans may be made, for the next one may not serve it either. */
  outgrown(): string | undefined {
    const nowMs = this.#ports.clock.nowMs();
    if (this.#outgrown === undefined || nowMs - this.#toldAtMs < this.#ports.config.epochMinMs) return undefined;
    this.#toldAtMs = nowMs;
    return this.#outgrown;
  }

  #whoOutgrew(): string | undefined {
    let found: string | undefined;
    // All are looked at: since when one is low must be known.
    for (const [session, plannedHz] of this.#plannedHz) {
      const [tenant, query, stage] = session.split('.') as [string, string, string];
      const measuredHz = this.#outgrownHz({ tenant, query, stage });
      if (measuredHz !== undefined)
        found ??= `${session} sees ${measuredHz.toFixed(1)} Hz, planned were ${plannedHz.toFixed(1)}`;
    }
    return found;
  }

  /** As planned before unless it was outgrown: rates that wobble must not move models. */
  #rateHz(key: StageKey): number | undefined {
    const { headroom } = this.#ports.config;
    const averageHz = this.rates.rateHz(key);
    if (averageHz === undefined) return undefined;
    const plannedHz = this.#plannedHz.get(nameOf(key));
    if (plannedHz === undefined) return headroom * averageHz;
    const outgrownHz = this.#outgrownHz(key);
    // What rises at the first stage arrives at those behind it before they have seen it.
    const first = this.#firstOf(key);
    const rise = (this.#outgrownHz(first) ?? 0) / (this.#plannedHz.get(nameOf(first)) ?? Infinity);
    const followsHz = rise > 1 ? headroom * rise * plannedHz : 0;
    return Math.max(followsHz, outgrownHz === undefined ? plannedHz : headroom * outgrownHz);
  }

  #outgrownHz(key: StageKey): number | undefined {
    const session = nameOf(key);
    const plannedHz = this.#plannedHz.get(session);
    if (plannedHz === undefined) return undefined;
    const nowMs = this.#ports.clock.nowMs();
    const outgrownHz = this.rates.outgrown(key, plannedHz, nowMs);
    if (outgrownHz !== undefined && outgrownHz < plannedHz)
      return this.#falls.low(session, nowMs) ? outgrownHz : undefined;
    this.#falls.used(session);
    return outgrownHz;
  }

  /** Where the path to a stage begins. Bounded, for documents may read in circles. */
  #firstOf(key: StageKey): StageKey {
    const stages = this.#ports.catalog.queries.get(`${key.tenant}.${key.query}`)?.stages ?? {};
    let { stage } = key;
    for (let i = 0; i < Object.keys(stages).length; i++) stage = stages[stage]?.from ?? stage;
    return { ...key, stage };
  }
}

function unlessPolicyFails<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof PolicyError) return undefined;
    throw error;
  }
}

const nameOf = ({ tenant, query, stage }: StageKey): string => `${tenant}.${query}.${stage}`;
