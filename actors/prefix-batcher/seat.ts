import type { Item } from './group.ts';
import type { Host } from './host.ts';
import {
  costOf,
  leastCurve,
  type Curve,
  type DeadlineQueue,
  type Fit,
  type Lead,
  type Mix,
  type SeatView,
  type UsualCurves,
} from './policy/index.ts';

/** What was learned of one model, or prefix group, on one host; outlives plans. */
export interface Lessons {
  readonly fit: Fit;
  readonly lead: Lead;
}

/** Of a prefix group: what the host is to hold for it, and what that costs. */
export interface Mixture {
  readonly mix: Mix;
  readonly prefix: string;
  /** Ids of the suffixes by the member's index; undefined: not on this host. */
  readonly suffixes: readonly (string | undefined)[];
}

export interface SeatSettings {
  readonly host: Host;
  /** Id of the model; of a prefix group: of its prefix. */
  readonly model: string;
  /** Of a batch as it usually is composed. */
  readonly curve: Curve;
  readonly mixture?: Mixture;
  /** Inputs that the host runs at once. Default: all. */
  readonly runMax?: number;
  readonly lessons: Lessons;
  /** Least margin, ms; an emulated device without deviation needs none. */
  readonly marginMsMin: number;
  readonly usual: Usual;
}

/** How the group's invocations are now. */
export interface Usual {
  /** Usual size of a payload. */
  readonly bytesPerItem: number;
  /** What they usually have left when they arrive, ms. */
  readonly budgetMs: number;
}

/**
 * The lead takes at most this share of the budget: what was learned in a bad moment must not make everything look hopeless, for
 * where nothing is granted nothing better is learned.
 */
const LEAD_SHARE_MAX = 1 / 3;

/** A group's place on a host, as a plan has it. */
export class Seat implements SeatView {
  readonly host: Host;
  readonly model: string;
  readonly lessons: Lessons;
  readonly mixture: Mixture | undefined;
  readonly runMax: number;
  /** Set by the group. */
  queue!: DeadlineQueue<Item>;
  /** What the host holds of it changed. Set by the group. */
  changed: () => void = () => {};
  readonly #marginMsMin: number;
  readonly #exact: boolean;
  readonly #usual: Usual;
  readonly #counts: Uint32Array;
  readonly #least: Curve | undefined;
  #curve: Curve;
  /** By the member's index; a group of one model has one. */
  #held: readonly boolean[];
  #resident = false;
  #marginMs: number;
  #changes = 0;

  constructor(settings: SeatSettings) {
    this.host = settings.host;
    this.model = settings.model;
    this.mixture = settings.mixture;
    this.runMax = settings.runMax ?? settings.curve.batchMax;
    this.lessons = settings.lessons;
    this.#curve = settings.curve;
    this.#marginMsMin = settings.marginMsMin;
    this.#marginMs = settings.marginMsMin;
    this.#exact = settings.curve.tailMs.every(tailMs => tailMs === 0);
    this.#usual = settings.usual;
    const members = this.mixture?.suffixes.length ?? 1;
    this.#counts = new Uint32Array(members);
    this.#held = Array.from({ length: members }, () => false);
    this.#least = this.mixture && leastCurve(this.mixture.mix);
    this.refresh();
  }

  /** It holds at least one of the group's models. */
  get resident(): boolean {
    return this.#resident;
  }

  /** Of a batch as it usually is composed now. */
  get curve(): Curve {
    return this.#curve;
  }

  get batchMax(): number {
    return this.#curve.batchMax;
  }

  holds(member: number): boolean {
    return this.#held[member]!;
  }

  /** The plan gives it this member. */
  isFor(member: number): boolean {
    return this.mixture === undefined || this.mixture.suffixes[member] !== undefined;
  }

  /** What the host has to run for these: ids, and for each item the index of its own. */
  partsOf(items: readonly Item[]): { models: string[]; model: number[] } {
    const { mixture } = this;
    if (!mixture) return { models: [this.model], model: items.map(() => 0) };
    const models: string[] = [];
    const model = items.map(({ session }) => {
      const part = mixture.suffixes[session.member ?? 0]!;
      const known = models.indexOf(part);
      return known < 0 ? models.push(part) - 1 : known;
    });
    return { models, model };
  }

  latencyMs(batch: number): number {
    return this.#latencyMs(this.#curve.meanMs[batch]!, this.#curve.tailMs[batch]!);
  }

  /** Grows when a latency changes. */
  get version(): number {
    return this.lessons.fit.version + this.#changes;
  }

  latencyOf(from: number, count: number, more = 0): number {
    const { mixture } = this;
    if (!mixture) return this.latencyMs(count + more);
    for (let i = from; i < from + count; i++) this.#counts[this.queue.at(i).session.member ?? 0]!++;
    let { meanMs, tailMs } = costOf(mixture.mix, this.#counts);
    this.#counts.fill(0);
    if (more > 0) {
      meanMs += this.#curve.meanMs[count + more]! - this.#curve.meanMs[count]!;
      tailMs += this.#curve.tailMs[count + more]! - this.#curve.tailMs[count]!;
    }
    return this.#latencyMs(meanMs, tailMs);
  }

  leastMs(batch: number): number {
    const least = this.#least ?? this.#curve;
    return this.#latencyMs(least.meanMs[batch]!, least.tailMs[batch]!);
  }

  /** Mean time of these together, by the profiles. */
  meanMs(items: readonly Item[]): number {
    if (!this.mixture) return this.#curve.meanMs[items.length]!;
    for (const { session } of items) this.#counts[session.member ?? 0]!++;
    const { meanMs } = costOf(this.mixture.mix, this.#counts);
    this.#counts.fill(0);
    return meanMs;
  }

  /** By the profiles, for `ran` of a batch of `size` whose mean time is `meanMs`: what was left out is taken to be like the rest. */
  meanOfSome(meanMs: number, ran: number, size: number): number {
    return ran === size ? meanMs : (meanMs * this.#curve.meanMs[ran]!) / this.#curve.meanMs[size]!;
  }

  expectedMs(batch: number): number {
    return this.lessons.fit.expectedMs(this.#curve.meanMs[batch]!);
  }

  leadMs(batch: number): number {
    const { bytesPerItem, budgetMs } = this.#usual;
    return Math.min(this.lessons.lead.leadMs(batch, batch * bytesPerItem), LEAD_SHARE_MAX * budgetMs);
  }

  /** How the group's invocations are spread over its members now. Seats that are alike share the curve that follows. */
  remix(shares: readonly number[], usual: UsualCurves): void {
    if (!this.mixture) return;
    const here = this.resident ? shares.map((share, i) => (this.#held[i] ? share : 0)) : shares;
    this.#curve = usual.of(this.mixture.mix, here);
    this.#changes++;
  }

  /** The host's beat says anew what it holds. */
  refresh(): void {
    const { host, mixture } = this;
    const marginMs = this.#exact && host.emulated ? 0 : this.#marginMsMin;
    if (marginMs !== this.#marginMs) this.#changes++;
    this.#marginMs = marginMs;
    if (!mixture) this.#hold([host.holds(this.model)]);
    else {
      const prefix = host.holds(mixture.prefix);
      this.#hold(mixture.suffixes.map(suffix => prefix && suffix !== undefined && host.holds(suffix)));
    }
  }

  dismiss(): void {
    this.#hold(this.#held.map(() => false));
  }

  #hold(held: readonly boolean[]): void {
    if (held.every((one, i) => one === this.#held[i])) return;
    this.#held = held;
    this.#resident = held.includes(true);
    this.changed();
  }

  #latencyMs(meanMs: number, tailMs: number): number {
    return this.lessons.fit.latencyMs(meanMs, tailMs, this.#marginMs);
  }
}
