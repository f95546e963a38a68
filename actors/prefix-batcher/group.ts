import { Lots } from './lots.ts';
import { MeanLatency } from './mean-latency.ts';
import {
  batchTarget,
  isUsable,
  UsualCurves,
  type DeadlineQueue,
  type Demand,
  type GroupView,
  type HostView,
  type LotView,
  type Waiting,
} from './policy/index.ts';
import type { Seat } from './seat.ts';

/** A waiting invocation, as far as scheduling goes. */
export interface Item extends Waiting {
  readonly bytes: number;
  readonly session: Session;
  /** It was on a host that was lost: it runs with nothing else on its host. */
  readonly alone?: boolean;
  /** Alone: on another host than this one, where there is one. */
  readonly avoid?: string;
}

export interface Session {
  readonly name: string;
  readonly prefersLatency: boolean;
  /** Default: one for all. */
  readonly tenant?: string;
  /** Index of its model in its group; default 0. */
  readonly member?: number;
}

const GAIN = 0.05;
/** So many hosts stand for all of them. */
const SAMPLE_MAX = 8;
/** Rates are means over about this time. */
const RATE_MEMORY_MS = 600;
/** The share that is lost is a mean over about so many, and over so long. */
const LOSS_MEMORY = 100;
const LOSS_MEMORY_S = 2;
/** The usual composition of a batch is reckoned anew when a member's share has moved by this. */
const SHARE_MOVED = 0.02;

/** The invocations that can run together, of one model or of the members of a prefix group, and how they usually come. */
export class Group<T extends Item> implements GroupView {
  readonly models: readonly string[];
  readonly batchPlanned: number | undefined;
  batchTarget = 1;
  batchSustain = 1;
  lossShare = 0;
  readonly #lots: Lots<T>;
  #seats: ReadonlyMap<HostView, Seat> = new Map();
  #latencyWaiting = 0;
  /** By member. */
  readonly #arrivals: Float64Array;
  readonly #ratesHz: Float64Array;
  #rateHz: number;
  #shares: readonly number[];
  #usual = new UsualCurves();
  #budgetMs: number;
  #bytesPerItem = 0;
  readonly #latency = new MeanLatency();

  /** `shares`: how much of the rate is each member's; default: equal. */
  constructor(facts: {
    models: readonly string[];
    rateHz: number;
    budgetMs: number;
    shares?: readonly number[];
    batchPlanned?: number | undefined;
  }) {
    this.models = facts.models;
    this.batchPlanned = facts.batchPlanned;
    this.#shares = facts.shares ?? facts.models.map(() => 1 / facts.models.length);
    this.#arrivals = new Float64Array(facts.models.length);
    this.#ratesHz = Float64Array.from(this.#shares, share => share * facts.rateHz);
    this.#rateHz = facts.rateHz;
    this.#budgetMs = facts.budgetMs;
    this.#lots = new Lots(facts.models.length);
  }

  /** All that wait. */
  get queue(): DeadlineQueue<T> {
    return this.#lots.queue;
  }

  get lots(): readonly LotView[] {
    return this.#lots.lots;
  }

  get seats(): readonly Seat[] {
    return this.#lots.seats;
  }

  set seats(seats: readonly Seat[]) {
    this.#seats = new Map(seats.map(seat => [seat.host, seat]));
    for (const seat of seats) {
      seat.changed = () => {
        this.#lots.stale();
        seat.remix(this.#shares, this.#usual);
      };
      seat.remix(this.#shares, this.#usual);
    }
    this.#lots.seats = seats;
  }

  seatOn(host: HostView): Seat | undefined {
    return this.#seats.get(host);
  }

  get prefersLatency(): boolean {
    return this.#latencyWaiting > 0;
  }

  get bytesPerItem(): number {
    return this.#bytesPerItem;
  }

  get budgetMs(): number {
    return this.#budgetMs;
  }

  get rateHz(): number {
    return this.#rateHz;
  }

  /** How much of the rate is each member's. */
  get shares(): readonly number[] {
    return this.#shares;
  }

  rateHzOf(model: string): number {
    return this.#ratesHz[this.models.indexOf(model)] ?? 0;
  }

  /** Device time of one invocation in a batch of the target's size, ms. 0 while no host is known. */
  get costMs(): number {
    const seat = this.seats[0];
    if (!seat) return 0;
    const batch = Math.min(seat.batchMax, Math.max(1, this.batchTarget));
    return seat.curve.meanMs[batch]! / batch;
  }

  add(item: T): void {
    this.#lots.add(item);
    if (item.session.prefersLatency) this.#latencyWaiting++;
  }

  /** One that arrives, as against one that another group had queued: rate, budget and size follow from these. */
  note(item: T, nowMs: number): void {
    this.#arrivals[item.session.member ?? 0]!++;
    this.#budgetMs += GAIN * (item.deadlineMs - nowMs - this.#budgetMs);
    this.#bytesPerItem += (this.#bytesPerItem === 0 ? 1 : GAIN) * (item.bytes - this.#bytesPerItem);
  }

  /** What became of `count` that waited: they were granted a batch, or dropped. */
  ended(count: number, how: 'granted' | 'dropped'): void {
    const memory = Math.max(LOSS_MEMORY, this.rateHz * LOSS_MEMORY_S);
    const weight = 1 - (1 - 1 / memory) ** count;
    this.lossShare += weight * (Number(how === 'dropped') - this.lossShare);
  }

  /** False when it didn't wait here. */
  remove(item: T): boolean {
    if (!this.#lots.remove(item)) return false;
    if (item.session.prefersLatency) this.#latencyWaiting--;
    return true;
  }

  /** Takes [from, from + count) of one of the group's queues. */
  take(queue: DeadlineQueue<T>, from: number, count: number): T[] {
    const items = this.#lots.take(queue, from, count);
    for (const item of items) if (item.session.prefersLatency) this.#latencyWaiting--;
    return items;
  }

  /** Brings rate and target up to date, `elapsedMs` (0: at first) after the latest call. Without a usable host there is no demand. */
  measure(nowMs: number, elapsedMs: number): Demand | undefined {
    if (elapsedMs > 0) this.#measureRates(elapsedMs);
    const usable = this.seats.filter(seat => seat.resident && isUsable(seat.host, nowMs));
    if (usable.length === 0) return undefined;
    const stride = Math.ceil(usable.length / SAMPLE_MAX);
    const seats = usable.filter((_, i) => i % stride === 0);
    const batchMax = Math.min(...seats.map(seat => seat.batchMax));
    const latencyMs = this.#latency.over(seats, batchMax);
    const leadMs = seats.reduce((sum, seat) => sum + seat.leadMs(1), 0) / seats.length;
    const demand = { rateHz: this.rateHz, budgetMs: this.#budgetMs - leadMs, batchMax, latencyMs };
    this.batchTarget = batchTarget(demand);
    return demand;
  }

  #measureRates(elapsedMs: number): void {
    const gain = 1 - Math.exp(-elapsedMs / RATE_MEMORY_MS);
    this.#ratesHz.forEach((rateHz, i) => {
      const seenHz = (this.#arrivals[i]! * 1000) / elapsedMs;
      this.#ratesHz[i] = rateHz + gain * (seenHz - rateHz);
    });
    this.#arrivals.fill(0);
    this.#rateHz = this.#ratesHz.reduce((sum, rateHz) => sum + rateHz, 0);
    if (this.models.length === 1 || !(this.#rateHz > 0)) return;
    const shares = Array.from(this.#ratesHz, rateHz => rateHz / this.#rateHz);
    if (shares.every((share, i) => Math.abs(share - this.#shares[i]!) < SHARE_MOVED)) return;
    this.#shares = shares;
    this.#usual = new UsualCurves();
    for (const seat of this.seats) seat.remix(shares, this.#usual);
  }
}
