import type { Clock, HostBeat, Log, OrderReply } from '../../contracts/index.ts';
import type { Catalog } from './catalog.ts';
import type { Cluster } from './cluster.ts';
import type { Orders } from './orders.ts';

interface Job {
  readonly model: string;
  readonly kind: string;
  readonly host: string;
  readonly incarnation: string;
  readonly untilMs: number;
}

export interface ProfilingPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly catalog: Catalog;
  readonly cluster: Cluster;
  readonly orders: Orders;
  readonly profileMs: number;
  /** Models that are planned behind a prefix. */
  grouped(): ReadonlySet<string>;
  /** A model could not be measured: the queries on it can be told why. */
  failed(model: string): void;
}

const BACK_OFF_MS = 10_000;
const BACK_OFF_MS_MAX = 600_000;

/** Has models measured that have no profile on some kind of device: one at a time, those that queries use first. */
export class ProfileOrders {
  readonly #ports: ProfilingPorts;
  readonly #failures = new Map<string, { count: number; untilMs: number; detail: string }>();
  #job: Job | undefined;
  /** When its host began: what it says of the model from then on is about this measurement. */
  #begunAtMs: number | undefined;

  constructor(ports: ProfilingPorts) {
    this.#ports = ports;
  }

  /** What is being measured, and where: that host may hold the model for it. */
  get job(): Job | undefined {
    return this.#job;
  }

  /** Orders of an earlier leadership count no more. */
  begin(): void {
    this.#job = undefined;
  }

  /** Gives, or gives again, the next order. Called when something changed and each second. */
  step(): void {
    const { clock, cluster, catalog, orders, profileMs } = this.#ports;
    const now = clock.nowMs();
    if (this.#job && this.#has(this.#job.model, this.#job.kind)) {
      this.#failures.delete(keyOf(this.#job));
      this.#job = undefined;
    }
    if (this.#job && cluster.ready(this.#job.host)?.incarnation !== this.#job.incarnation)
      this.#fail(`${this.#job.host} is gone`, false);
    const trouble = this.#troubleOnHost();
    if (trouble !== undefined) this.#fail(trouble, true);
    if (this.#job && now >= this.#job.untilMs) this.#fail(`${this.#job.host} did not finish in time`, true);
    if (!this.#job) {
      const next = this.#next(now);
      if (!next) return;
      this.#job = { ...next, untilMs: now + profileMs };
      this.#begunAtMs = undefined;
      this.#ports.log.info('a model is being profiled', { model: next.model, kind: next.kind, host: next.host });
    }
    const { model, host } = this.#job;
    // Given once and again only where it may not have been heard: a measurement shows when the profile is there.
    if (this.#ordered === this.#job) return;
    const wanted = catalog.measurable(this.#ports.grouped()).find(one => one.id === model);
    if (!wanted) {
      this.#job = undefined;
      return;
    }
    const { batchMax, of, tensors } = wanted;
    const from = { ...(of === undefined ? {} : { of }), ...(tensors ? { tensors: [...tensors] } : {}) };
    if (orders.give(host, { verb: 'profile', model, batchMax, ...from })) this.#ordered = this.#job;
  }
  #ordered: Job | undefined;

  replied(host: string, reply: OrderReply | { readonly accepted: 'unknown'; readonly detail: string }): void {
    if (this.#job?.host !== host) return;
    if (reply.accepted === true) this.#begunAtMs = this.#ports.clock.nowMs();
    else if (reply.accepted === 'unknown') this.#ordered = undefined;
    else this.#fail(`${host}: ${reply.detail}`, reply.reason !== 'fenced');
  }

  /** What is being done about a model without a profile, for people. */
  about(model: string): string | undefined {
    if (this.#job?.model === model) return `is being profiled on ${this.#job.host}`;
    const failed = [...this.#failures].find(([key]) => key.startsWith(`${model} `))?.[1];
    if (failed) return `could not be profiled (${failed.detail}); it will be tried again`;
    return 'waits to be profiled';
  }

  /** Why its host could not measure the model, as its beats tell. */
  #troubleOnHost(): string | undefined {
    const heard = this.#job && this.#ports.cluster.hosts.get(this.#job.host);
    if (!heard || this.#begunAtMs === undefined || heard.atMs <= this.#begunAtMs) return undefined;
    const resident = heard.beat.residents.find(({ model }) => model === this.#job?.model);
    return resident?.state === 'failed' ? `${this.#job!.host}: ${resident.detail ?? 'it failed there'}` : undefined;
  }

  /** `backOff`: not so where a host or a leader went, which says nothing of the model. */
  #fail(detail: string, backOff: boolean): void {
    const job = this.#job!;
    const count = (this.#failures.get(keyOf(job))?.count ?? 0) + Number(backOff);
    const waitMs = backOff ? Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS * 2 ** (count - 1)) : 0;
    this.#failures.set(keyOf(job), { count, untilMs: this.#ports.clock.nowMs() + waitMs, detail });
    this.#ports.log.warn('a model was not profiled', { model: job.model, kind: job.kind, detail });
    this.#job = undefined;
    this.#ports.failed(job.model);
  }

  #has(model: string, kind: string): boolean {
    return [...this.#ports.catalog.profiles.values()].some(p => p.model === model && p.device === kind);
  }

  /** On the host of the kind that holds least. Asked with every beat: it looks at each host once. */
  #next(now: number): Omit<Job, 'untilMs'> | undefined {
    const { catalog, cluster } = this.#ports;
    const measured = new Set([...catalog.profiles.values()].map(({ model, device }) => keyOf({ model, kind: device })));
    const emptiest = new Map<string, Candidate>();
    for (const [host, { beat }] of cluster.hosts) {
      if (beat.state !== 'ready' || catalog.draining.has(host)) continue;
      const other = emptiest.get(beat.device.kind);
      if (!other || byEmptiness({ host, beat }, other) < 0) emptiest.set(beat.device.kind, { host, beat });
    }
    const hosts = [...emptiest].toSorted(([, a], [, b]) => byEmptiness(a, b));
    for (const { id, emulated } of catalog.measurable(this.#ports.grouped())) {
      for (const [kind, { host, beat }] of hosts) {
        if (emulated !== undefined && emulated !== beat.device.emulated) continue;
        const key = keyOf({ model: id, kind });
        if (!measured.has(key) && now >= (this.#failures.get(key)?.untilMs ?? 0))
          return { model: id, kind, host, incarnation: beat.incarnation };
      }
    }
    return undefined;
  }
}

type Candidate = { readonly host: string; readonly beat: HostBeat };
const byEmptiness = (a: Candidate, b: Candidate): number =>
  a.beat.residents.length - b.beat.residents.length || (a.host < b.host ? -1 : 1);

const keyOf = (job: { readonly model: string; readonly kind: string }): string => `${job.model} ${job.kind}`;
