import {
  batchTarget,
  DeadlineQueue,
  isUsable,
  type Demand,
  type GroupView,
  type HostView,
  type Waiting,
} from './policy/index.ts';
import type { Seat } from './seat.ts';

/** A waiting invocation, as far as scheduling goes. */
export interface Item extends Waiting {
  readonly bytes: number;
  readonly session: Session;
}

export interface Session {
  readonly name: string;
  readonly prefersLatency: boolean;
}

const GAIN = 0.05;
/** So many hosts stand for all of them. */
const SAMPLE_MAX = 8;
/** Rates are means over about this time. */
const RATE_MEMORY_MS = 600;

/** The invocations that can run together, and how they usually come. */
export class Group<T extends Item> implements GroupView {
  readonly models: readonly string[];
  readonly queue = new DeadlineQueue<T>();
  batchTarget = 1;
  batchSustain = 1;
  #seats: ReadonlyMap<HostView, Seat> = new Map();
  #seatList: readonly Seat[] = [];
  #latencyWaiting = 0;
  #arrivals = 0;
  #rateHz: number;
  #budgetMs: number;
  #bytesPerItem = 0;

  constructor(facts: { models: readonly string[]; rateHz: number; budgetMs: number }) {
    this.models = facts.models;
    this.#rateHz = facts.rateHz;
    this.#budgetMs = facts.budgetMs;
  }

  get seats(): readonly Seat[] {
    return this.#seatList;
  }

  set seats(seats: readonly Seat[]) {
    this.#seatList = seats;
    this.#seats = new Map(seats.map(seat => [seat.host, seat]));
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

  add(item: T): void {
    this.queue.add(item);
    if (item.session.prefersLatency) this.#latencyWaiting++;
  }

  /** One that arrives, as against one that another group had queued: rate, budget and size follow from these. */
  note(item: T, nowMs: number): void {
    this.#arrivals++;
    this.#budgetMs += GAIN * (item.deadlineMs - nowMs - this.#budgetMs);
    this.#bytesPerItem += (this.#bytesPerItem === 0 ? 1 : GAIN) * (item.bytes - this.#bytesPerItem);
  }

  /** False when it didn't wait here. */
  remove(item: T): boolean {
    if (!this.queue.remove(item)) return false;
    if (item.session.prefersLatency) this.#latencyWaiting--;
    return true;
  }

  take(from: number, count: number): T[] {
    const items = this.queue.take(from, count);
    for (const item of items) if (item.session.prefersLatency) this.#latencyWaiting--;
    return items;
  }

  /** Brings rate and target up to date, `elapsedMs` (0: at first) after the latest call. Without a usable host there is no demand. */
  measure(nowMs: number, elapsedMs: number): Demand | undefined {
    if (elapsedMs > 0) {
      const seenHz = (this.#arrivals * 1000) / elapsedMs;
      this.#rateHz += (1 - Math.exp(-elapsedMs / RATE_MEMORY_MS)) * (seenHz - this.#rateHz);
      this.#arrivals = 0;
    }
    const usable = this.seats.filter(seat => seat.resident && isUsable(seat.host, nowMs));
    if (usable.length === 0) return undefined;
    const stride = Math.ceil(usable.length / SAMPLE_MAX);
    const seats = usable.filter((_, i) => i % stride === 0);
    const batchMax = Math.min(...seats.map(seat => seat.batchMax));
    const latencyMs = (batch: number): number =>
      seats.reduce((sum, seat) => sum + seat.latencyMs(batch), 0) / seats.length;
    const leadMs = seats.reduce((sum, seat) => sum + seat.leadMs(1), 0) / seats.length;
    const demand = { rateHz: this.#rateHz, budgetMs: this.#budgetMs - leadMs, batchMax, latencyMs };
    this.batchTarget = batchTarget(demand);
    return demand;
  }
}
