import { decode } from '../../bus/index.ts';
import {
  DEFAULT_PREFIX,
  modelOf,
  subjects,
  type Bus,
  type Clock,
  type HostBeat,
  type Plan,
  type QueryDocument,
  type Result,
  type StageResult,
  type Subject,
  type Timing,
} from '../../contracts/index.ts';
import { Histogram } from './histogram.ts';
import {
  badRateOf,
  zeroCounts,
  type HostOutcome,
  type ModelOutcome,
  type Outcome,
  type QueryOutcome,
} from './outcome.ts';
import { reads, type Camera, type Scenario } from './scenario.ts';

/** Entries of a series at most, so that what is kept doesn't grow with the duration. */
const BUCKETS_MAX = 600;
const BUCKET_MS_MIN = 1000;
/** Latencies are told to this share of the objective, up to three times it. */
const LATENCY_SHARE = 1 / 500;
const LATENCY_BINS = 1500;
const BATCH_MAX = 1024;

/** Field by field: a loop over their names takes several times as long. */
function addUp(times: Timing, { routeMs, scheduleMs, transferMs, waitMs, runMs, returnMs }: Timing): void {
  times.routeMs += routeMs;
  times.scheduleMs += scheduleMs;
  times.transferMs += transferMs;
  times.waitMs += waitMs;
  times.runMs += runMs;
  times.returnMs += returnMs;
}

/** One query while it runs. */
class QueryWatch {
  readonly document: QueryDocument;
  readonly counts = zeroCounts();
  readonly latencies: Histogram;
  /** Of all latencies, in sum. */
  readonly times: Timing = { routeMs: 0, scheduleMs: 0, transferMs: 0, waitMs: 0, runMs: 0, returnMs: 0 };
  readonly troubles = new Map<string, { result: Result; count: number }>();
  readonly offered: Float64Array;
  readonly ok: Float64Array;
  readonly bad: Float64Array;

  constructor(document: QueryDocument, buckets: number) {
    this.document = document;
    this.latencies = new Histogram(document.objectiveMs * LATENCY_SHARE, LATENCY_BINS);
    this.offered = new Float64Array(buckets);
    this.ok = new Float64Array(buckets);
    this.bad = new Float64Array(buckets);
  }

  /** A result of a frame that is measured. */
  take(result: Result): void {
    const { outcome, timing, trouble } = result;
    this.counts[outcome]++;
    if (outcome === 'ok' || outcome === 'late') {
      this.latencies.add(result.latencyMs);
      if (timing) addUp(this.times, timing);
    }
    if (!trouble) return;
    const key = `${outcome} ${trouble.at} ${trouble.reason} ${trouble.stage ?? ''}`;
    const known = this.troubles.get(key);
    if (known) known.count++;
    else this.troubles.set(key, { result, count: 1 });
  }

  outcome(): QueryOutcome {
    const { document, counts, latencies, troubles } = this;
    const ended = counts.ok + counts.late + counts.dropped + counts.failed + counts.rejected;
    const mean = (sumMs: number): number => (latencies.count === 0 ? 0 : tidy(sumMs / latencies.count));
    const { routeMs, scheduleMs, transferMs, waitMs, runMs, returnMs } = this.times;
    return {
      tenant: document.tenant!,
      query: document.name,
      objectiveMs: document.objectiveMs,
      ...counts,
      lost: Math.max(0, counts.offered - ended),
      badRate: tidy(badRateOf(counts)),
      latency: {
        meanMs: tidy(latencies.mean),
        p50Ms: tidy(latencies.quantile(0.5)),
        p90Ms: tidy(latencies.quantile(0.9)),
        p99Ms: tidy(latencies.quantile(0.99)),
        maxMs: tidy(latencies.max),
      },
      timing: {
        routeMs: mean(routeMs),
        scheduleMs: mean(scheduleMs),
        transferMs: mean(transferMs),
        waitMs: mean(waitMs),
        runMs: mean(runMs),
        returnMs: mean(returnMs),
      },
      troubles: [...troubles.values()]
        .map(({ result: { outcome, trouble }, count }) => {
          const { at, reason, stage = null } = trouble!;
          return { outcome, at, reason, stage, count };
        })
        .sort((a, b) => b.count - a.count),
      latencies: { widthMs: latencies.width, counts: [...latencies.counts] },
      series: { offered: [...this.offered], ok: [...this.ok], bad: [...this.bad] },
    };
  }
}

/** What is known of one host. */
interface HostWatch {
  readonly kind: string;
  incarnation: string;
  busyMs: number;
  /** Of the measured time. */
  measuredMs: number;
  readonly buckets: Float64Array;
  readonly held: { fromMs: number; models: readonly string[] }[];
}

/** Of one stream: the number of the next frame, and of the first one that is measured. */
interface Span {
  readonly queries: readonly QueryWatch[];
  seq: number;
  first: number;
}

/** Noise of binary fractions is not for readers. */
const tidy = (value: number): number => Number(value.toPrecision(8));

/** Hears results, beats and plans, and puts them together. What it keeps doesn't grow with the number of frames. */
export class Watch {
  readonly #scenario: Scenario;
  readonly #clock: Clock;
  readonly #bucketMs: number;
  readonly #buckets: number;
  readonly #queries: readonly QueryWatch[];
  /** By `<tenant>/<stream>`. */
  readonly #streams = new Map<string, Span>();
  /** Whose results come on a subject: looked up once. Undefined: they are nothing to us. */
  readonly #results = new Map<string, { readonly query: QueryWatch; readonly span: Span } | undefined>();
  readonly #hosts = new Map<string, HostWatch>();
  readonly #models = new Map<string, { sizes: Float64Array; invocations: number }>();
  readonly #epochs: { plan: Plan; atMs: number; gpus: number }[] = [];
  readonly #events: { atS: number; what: string }[] = [];
  #startMs = Infinity;

  constructor({ scenario, bus, clock }: { scenario: Scenario; bus: Bus; clock: Clock }) {
    this.#scenario = scenario;
    this.#clock = clock;
    const totalMs = scenario.warmupMs + scenario.durationMs;
    this.#bucketMs = Math.max(BUCKET_MS_MIN, 1000 * Math.ceil(totalMs / BUCKETS_MAX / 1000));
    this.#buckets = Math.ceil(totalMs / this.#bucketMs);
    this.#queries = scenario.queries.map(query => new QueryWatch(query, this.#buckets));
    for (const { tenant, stream } of scenario.cameras) {
      const queries = this.#queries.filter(({ document }) => document.tenant === tenant && reads(document, stream));
      this.#streams.set(`${tenant}/${stream}`, { queries, seq: 0, first: Infinity });
    }
    const listen = <M>(subject: Subject<string, M, never>, take: (message: M, at: string) => void): void =>
      void bus.subscribe(subject.at(DEFAULT_PREFIX), message =>
        take((message.value ?? decode(message.data)) as M, message.subject),
      );
    listen(subjects.results, (result, at) => this.#result(result, at));
    listen(subjects.hostBeats, (beat, at) => this.#beat(at.slice(at.lastIndexOf('.') + 1), beat));
    listen(subjects.plans, plan => this.#plan(plan));
  }

  /** The plan in force. */
  get plan(): Plan | undefined {
    return this.#epochs.at(-1)?.plan;
  }

  /** Share of the frames that ended so far and were not answered in time. */
  get badRate(): number {
    const all = zeroCounts();
    for (const { counts } of this.#queries) {
      all.ok += counts.ok;
      all.offered += counts.ok + counts.late + counts.dropped + counts.failed + counts.rejected;
    }
    return badRateOf(all);
  }

  /** Frames so far, for each query that reads them. */
  get requests(): number {
    return sum(this.#queries, ({ offered }) => sum([...offered], count => count));
  }

  /** The streams start now. */
  begin(): void {
    this.#startMs = this.#clock.nowMs();
  }

  note(what: string): void {
    this.#events.push({ atS: tidy(this.#nowMs() / 1000), what });
  }

  /** Who is to be told of each frame of a stream when it is published, at so many ms since the streams began. */
  frames({ tenant, stream }: Camera): (atMs: number) => void {
    const span = this.#streams.get(`${tenant}/${stream}`)!;
    return atMs => this.#frame(span, atMs);
  }

  #frame(span: Span, atMs: number): void {
    const seq = span.seq++;
    if (atMs >= this.#scenario.warmupMs && span.first === Infinity) span.first = seq;
    const bucket = this.#bucketOf(atMs);
    for (const query of span.queries) {
      query.offered[bucket]!++;
      if (seq >= span.first) query.counts.offered++;
    }
  }

  #nowMs(): number {
    return this.#clock.nowMs() - this.#startMs;
  }

  #bucketOf(atMs: number): number {
    return Math.max(0, Math.min(this.#buckets - 1, Math.floor(atMs / this.#bucketMs)));
  }

  #result(result: Result, at: string): void {
    let known = this.#results.get(at);
    if (!known && !this.#results.has(at)) this.#results.set(at, (known = this.#sourceOf(result)));
    if (!known) return;
    const { query, span } = known;
    const bucket = this.#bucketOf(this.#nowMs() - result.latencyMs);
    (result.outcome === 'ok' ? query.ok : query.bad)[bucket]!++;
    if ((result.seq ?? -1) < span.first) return;
    query.take(result);
    for (const name in result.stages) {
      const results = result.stages[name]!;
      // By index: lists of several kinds come here, over which `of` makes an object at each step.
      for (let i = 0; i < results.length; i++) this.#invocation(results[i]!);
    }
  }

  #invocation({ model, batch }: StageResult): void {
    let seen = this.#models.get(model);
    if (!seen) this.#models.set(model, (seen = { sizes: new Float64Array(BATCH_MAX + 1), invocations: 0 }));
    seen.sizes[Math.min(BATCH_MAX, batch)]!++;
    seen.invocations++;
  }

  #sourceOf({ tenant, query: name, stream = '' }: Result): { query: QueryWatch; span: Span } | undefined {
    const query = this.#queries.find(({ document }) => document.tenant === tenant && document.name === name);
    const span = this.#streams.get(`${tenant}/${stream}`);
    return query && span && { query, span };
  }

  #beat(name: string, { incarnation, busyMs, device }: HostBeat): void {
    let host = this.#hosts.get(name);
    if (!host) {
      const buckets = new Float64Array(this.#buckets);
      host = { kind: device.kind, incarnation, busyMs: 0, measuredMs: 0, buckets, held: [] };
      this.#hosts.set(name, host);
    }
    const ran = host.incarnation === incarnation ? busyMs - host.busyMs : busyMs;
    host.incarnation = incarnation;
    host.busyMs = busyMs;
    const nowMs = this.#nowMs();
    const { warmupMs, durationMs } = this.#scenario;
    // A beat says what was before it.
    if (nowMs > 0 && nowMs <= warmupMs + durationMs + BUCKET_MS_MIN) host.buckets[this.#bucketOf(nowMs - 1)]! += ran;
    if (nowMs > warmupMs && nowMs <= warmupMs + durationMs) host.measuredMs += ran;
  }

  #plan(plan: Plan): void {
    const last = this.#epochs.at(-1)?.plan.epoch ?? 0;
    if (plan.epoch <= last) return;
    const used = plan.hosts.filter(({ models }) => models.length > 0);
    const atMs = Math.max(0, this.#nowMs());
    this.#epochs.push({ plan, atMs, gpus: used.length });
    const nameOf = (part: string): string => modelOf(part).split('@')[0]!;
    for (const [name, { held }] of this.#hosts) {
      const models = used.find(({ host }) => host === name)?.models ?? [];
      const names = [...new Set(models.map(({ model }) => nameOf(model)))].sort();
      if (names.join() !== (held.at(-1)?.models.join() ?? '')) held.push({ fromMs: atMs, models: names });
    }
  }

  outcome(time: Outcome['time']): Outcome {
    const { name, seed, durationMs, warmupMs } = this.#scenario;
    const queries = this.#queries.map(query => query.outcome());
    const all = { offered: sum(queries, q => q.offered), ok: sum(queries, q => q.ok) };
    const perS = 1000 / durationMs;
    const hosts = [...this.#hosts]
      .sort(([a], [b]) => order(a, b))
      .map(([host, watch]) => this.#hostOutcome(host, watch));
    const gpusUsed = Array.from({ length: this.#buckets }, (_, i) => this.#gpusUsed(i * this.#bucketMs));
    const measured = gpusUsed.slice(Math.floor(warmupMs / this.#bucketMs));
    const usedMean = sum(measured, used => used) / Math.max(1, measured.length);
    const busy = sum(hosts, host => host.busyShare);
    return {
      scenario: name,
      seed,
      emulated: true,
      time,
      durationS: durationMs / 1000,
      warmupS: warmupMs / 1000,
      offeredHz: tidy(all.offered * perS),
      goodHz: tidy(all.ok * perS),
      badRate: tidy(badRateOf(all)),
      gpus: {
        there: hosts.length,
        usedMean: tidy(usedMean),
        usedMax: Math.max(0, ...measured),
        busyMean: tidy(usedMean === 0 ? 0 : busy / usedMean),
      },
      queries,
      models: this.#modelOutcomes(),
      hosts,
      epochs: this.#epochs
        .filter(({ atMs }) => atMs <= warmupMs + durationMs)
        .map(({ plan, atMs, gpus }) => ({
          epoch: plan.epoch,
          atS: tidy(atMs / 1000),
          gpus,
          refused: plan.refused.map(({ query, reason }) => ({ query, reason })),
        })),
      events: this.#events,
      series: {
        bucketS: this.#bucketMs / 1000,
        gpusUsed,
        gpusBusy: gpusUsed.map((_, i) => tidy(sum(hosts, host => host.busy[i]!))),
      },
    };
  }

  #gpusUsed(atMs: number): number {
    return this.#epochs.findLast(epoch => epoch.atMs <= atMs)?.gpus ?? 0;
  }

  #hostOutcome(host: string, { kind, measuredMs, buckets, held }: HostWatch): HostOutcome {
    return {
      host,
      kind,
      busyShare: tidy(Math.min(1, measuredMs / this.#scenario.durationMs)),
      held: held.map(({ fromMs, models }) => ({ fromS: tidy(fromMs / 1000), models })),
      busy: [...buckets].map(ms => tidy(Math.min(1, ms / this.#bucketMs))),
    };
  }

  #modelOutcomes(): ModelOutcome[] {
    return [...this.#models]
      .map(([model, { sizes: inputs, invocations }]) => {
        // Each input tells how many ran with it.
        const sizes = [...inputs].map((count, size) => (size === 0 ? 0 : Math.round(count / size)));
        const last = sizes.findLastIndex(count => count > 0);
        const batches = sum(sizes, count => count);
        return {
          model: modelOf(model).split('@')[0]!,
          invocations,
          batches,
          meanBatch: tidy(batches === 0 ? 0 : invocations / batches),
          sizes: sizes.slice(0, last + 1),
        };
      })
      .sort((a, b) => (a.model < b.model ? -1 : 1));
  }
}

const sum = <T>(list: readonly T[], of: (one: T) => number): number => list.reduce((all, one) => all + of(one), 0);

/** gpu-2 before gpu-10 */
const order = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });
