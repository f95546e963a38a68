import type { Outcome, Random, RouterBeat } from '../../contracts/index.ts';
import { Prospects } from './prospects.ts';
import type { Query, Stage } from './query.ts';

const SAMPLES_MAX = 1024;
/** Weight of the latest interval in the mean fan-out. */
const FANOUT_WEIGHT = 0.3;
const QUERIES_MAX = 1024;
const STAGES_MAX = 4096;

/** Uniform sample of the latencies of one interval, bounded (algorithm R; Vitter 1985). */
class Latencies {
  readonly #random: Random;
  readonly #samples = new Float64Array(SAMPLES_MAX);
  #seen = 0;
  constructor(random: Random) {
    this.#random = random;
  }
  add(latencyMs: number): void {
    const at = this.#seen < SAMPLES_MAX ? this.#seen : Math.floor(this.#random.next() * (this.#seen + 1));
    if (at < SAMPLES_MAX) this.#samples[at] = latencyMs;
    this.#seen++;
  }
  /** Median and 99th percentile since the previous call; 0 when nothing ended. */
  take(): { p50Ms: number; p99Ms: number } {
    const sorted = this.#samples.slice(0, Math.min(this.#seen, SAMPLES_MAX)).sort();
    this.#seen = 0;
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
    return { p50Ms: at(0.5), p99Ms: at(0.99) };
  }
}

interface StageMeter {
  readonly stage: string;
  count: number;
  interval: number;
  /** Results of the stage before, and inputs made of them, in this interval. */
  results: number;
  inputs: number;
  fanout: number | undefined;
}

/** Counts of one query since start, and of its latest interval. Lives as long as the query has the same name. */
export class QueryMeter {
  readonly outcomes: Record<Outcome, number> = { ok: 0, late: 0, dropped: 0, failed: 0, rejected: 0 };
  accepted = 0;
  readonly prospects = new Prospects();
  readonly #latencies: Latencies;
  readonly #stages = new Map<string, StageMeter>();
  /** Those that were used last, by the stage's index: mostly nothing is to be searched. */
  readonly #usual: StageMeter[] = [];
  /** Whether work that was wanted in this interval was not done: then the rates of later stages don't tell the demand. */
  #short = false;

  constructor(random: Random) {
    this.#latencies = new Latencies(random);
  }

  invoked(stage: Stage): void {
    const meter = this.#stage(stage);
    meter.count++;
    meter.interval++;
  }

  fannedOut(stage: Stage, inputs: number): void {
    const meter = this.#stage(stage);
    meter.results++;
    meter.inputs += inputs;
  }

  /** A request was not begun because it could not be served now: it is demand all the same. */
  turnedAway(query: Query): void {
    for (const stage of query.stages) if (stage.from < 0) this.#stage(stage).interval++;
    this.#short = true;
  }

  ended(outcome: Outcome, latencyMs: number): void {
    this.outcomes[outcome]++;
    if (outcome === 'dropped') this.#short = true;
    if (outcome !== 'rejected') this.#latencies.add(latencyMs);
  }

  counts({ tenant, name }: Query): RouterBeat['queries'][number] {
    return { tenant, query: name, accepted: this.accepted, ...this.outcomes, ...this.#latencies.take() };
  }

  /**
   * Demand per stage. Where requests were dropped or turned away, the stages behind are wanted as often as their fan-out
   * says, not as often as they were reached (R_v = γ·R_u): else a plan that is too small would look sufficient.
   */
  rates(query: Query, intervalMs: number): RouterBeat['stages'] {
    const rows: RouterBeat['stages'] = [];
    for (const stage of query.stages) {
      const meter = this.#stage(stage);
      if (meter.results > 0) {
        const latest = meter.inputs / meter.results;
        meter.fanout = meter.fanout === undefined ? latest : meter.fanout + FANOUT_WEIGHT * (latest - meter.fanout);
      }
      const measuredHz = intervalMs > 0 ? (meter.interval * 1000) / intervalMs : 0;
      const fanout = stage.from < 0 ? 1 : (meter.fanout ?? stage.fanout);
      const wantedHz = this.#short && stage.from >= 0 ? rows[stage.from]!.rateHz * fanout : 0;
      const rateHz = Math.max(measuredHz, wantedHz);
      meter.interval = meter.results = meter.inputs = 0;
      rows.push({ tenant: query.tenant, query: query.name, stage: stage.name, rateHz, fanout, count: meter.count });
    }
    this.#short = false;
    return rows;
  }

  #stage({ name, index }: Stage): StageMeter {
    const usual = this.#usual[index];
    if (usual?.stage === name) return usual;
    let meter = this.#stages.get(name);
    if (!meter) {
      meter = { stage: name, count: 0, interval: 0, results: 0, inputs: 0, fanout: undefined };
      this.#stages.set(name, meter);
    }
    return (this.#usual[index] = meter);
  }
}

/** What the router has counted, per query. */
export class Meters {
  readonly #random: Random;
  readonly #meters = new Map<string, QueryMeter>();
  duplicates = 0;
  reoffers = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  of(query: Query): QueryMeter {
    let meter = this.#meters.get(query.key);
    if (!meter) this.#meters.set(query.key, (meter = new QueryMeter(this.#random)));
    return meter;
  }

  forget(key: string): void {
    this.#meters.delete(key);
  }

  /** Ends an interval. */
  report(queries: Iterable<Query>, intervalMs: number): Pick<RouterBeat, 'queries' | 'stages'> {
    const counts: RouterBeat['queries'] = [];
    const stages: RouterBeat['stages'] = [];
    for (const query of queries) {
      const meter = this.of(query);
      const rates = meter.rates(query, intervalMs);
      const count = meter.counts(query);
      if (counts.length < QUERIES_MAX) counts.push(count);
      if (stages.length + rates.length <= STAGES_MAX) stages.push(...rates);
    }
    return { queries: counts, stages };
  }
}
