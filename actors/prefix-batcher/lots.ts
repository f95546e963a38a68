import type { Item } from './group.ts';
import { DeadlineQueue, type LotView } from './policy/index.ts';
import type { Seat } from './seat.ts';

/** A queue of the waiting invocations of some members. */
interface Part<T extends Item> {
  readonly has: readonly boolean[];
  readonly queue: DeadlineQueue<T>;
}

/**
 * The waiting invocations of a group, in one queue as long as every host holds all members. While members join or leave, or where a
 * plan spreads them, each seat has the queue of what it can run, and a lot is what the same seats can run. All queues hold the
 * same order.
 */
export class Lots<T extends Item> {
  /** All of them. */
  readonly queue = new DeadlineQueue<T>();
  readonly #members: number;
  /** Besides `queue`, by which members they have. */
  readonly #parts = new Map<string, Part<T>>();
  #seats: readonly Seat[] = [];
  #lots: readonly LotView[] = [];
  #stale = true;

  constructor(members: number) {
    this.#members = members;
  }

  get seats(): readonly Seat[] {
    this.#refresh();
    return this.#seats;
  }

  set seats(seats: readonly Seat[]) {
    this.#seats = seats;
    this.#stale = true;
  }

  get lots(): readonly LotView[] {
    this.#refresh();
    return this.#lots;
  }

  /** What the seats hold has changed. */
  stale(): void {
    this.#stale = true;
  }

  add(item: T): void {
    this.#refresh();
    this.queue.add(item);
    if (this.#parts.size === 0) return;
    for (const { has, queue } of this.#parts.values()) if (has[item.session.member ?? 0]) queue.add(item);
  }

  /** False when it wasn't there. */
  remove(item: T): boolean {
    if (!this.queue.remove(item)) return false;
    for (const { has, queue } of this.#parts.values()) if (has[item.session.member ?? 0]) queue.remove(item);
    return true;
  }

  take(from: DeadlineQueue<T>, first: number, count: number): T[] {
    const items = from.take(first, count);
    for (const item of items) {
      if (from !== this.queue) this.queue.remove(item);
      for (const { has, queue } of this.#parts.values())
        if (queue !== from && has[item.session.member ?? 0]) queue.remove(item);
    }
    return items;
  }

  #refresh(): void {
    if (!this.#stale) return;
    this.#stale = false;
    this.#parts.clear();
    const members = Array.from({ length: this.#members }, (_, i) => i);
    for (const seat of this.#seats) seat.queue = this.#queueOf(members.map(member => seat.holds(member)));
    const lots = new Map<string, number[]>();
    for (const member of members) {
      const key = this.#seats.map(seat => (seat.holds(member) ? 'h' : seat.isFor(member) ? 'p' : '-')).join('');
      lots.set(key, [...(lots.get(key) ?? []), member]);
    }
    this.#lots = [...lots.values()].map(of => ({
      queue: this.#queueOf(members.map(member => of.includes(member))),
      seats: this.#seats.filter(seat => seat.holds(of[0]!)),
      planned: this.#seats.filter(seat => seat.isFor(of[0]!)),
    }));
  }

  #queueOf(has: readonly boolean[]): DeadlineQueue<T> {
    if (has.every(Boolean)) return this.queue;
    const key = has.join();
    let part = this.#parts.get(key);
    if (!part) {
      part = { has, queue: new DeadlineQueue<T>() };
      for (let i = 0; i < this.queue.length; i++) {
        const item = this.queue.at(i);
        if (has[item.session.member ?? 0]) part.queue.add(item);
      }
      this.#parts.set(key, part);
    }
    return part.queue;
  }
}
