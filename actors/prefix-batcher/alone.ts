import type { Group, Item } from './group.ts';
import type { Host } from './host.ts';
import { DeadlineQueue, INSTANT_MS, isUsable } from './policy/index.ts';
import type { Batch } from './pool.ts';
import type { Seat } from './seat.ts';

/** So many of the most urgent are considered at a time. */
const SCAN_MAX = 32;

/**
 * Invocations that may be what killed a host. Each runs with nothing else on its host, so that another death tells who is guilty. At
 * most half of the hosts are kept free for them, and on each they take turns with ordinary batches.
 */
export class AloneLane<T extends Item> {
  readonly #hosts: readonly Host[];
  readonly #queue = new DeadlineQueue<T>();
  readonly #groups = new Map<T, Group<T>>();
  readonly #reserved = new Set<Host>();

  constructor(hosts: readonly Host[]) {
    this.#hosts = hosts;
  }

  get length(): number {
    return this.#queue.length;
  }

  /** There is nothing to settle. */
  get isQuiet(): boolean {
    return this.#queue.length === 0 && this.#reserved.size === 0;
  }

  /** When the most urgent one is hopeless at the latest. */
  get wakeAtMs(): number {
    return this.#queue.length > 0 ? this.#queue.deadlineAt(0) + 2 * INSTANT_MS : Infinity;
  }

  add(group: Group<T>, item: T): void {
    this.#queue.add(item);
    this.#groups.set(item, group);
  }

  remove(item: T): boolean {
    this.#groups.delete(item);
    return this.#queue.remove(item);
  }

  removeAll(): T[] {
    this.#groups.clear();
    for (const host of this.#reserved) this.#release(host);
    return this.#queue.take(0, this.#queue.length);
  }

  /** What can't be in time any more, and what is granted now. `others`: ordinary invocations wait, too. */
  settle(nowMs: number, others: boolean): { drops: T[]; grants: Batch<T>[] } {
    for (const host of this.#reserved) this.#release(host);
    const drops = this.#queue.take(0, this.#queue.countBefore(nowMs));
    const grants: Batch<T>[] = [];
    const usable = this.#hosts.filter(host => isUsable(host, nowMs));
    let room = Math.max(1, usable.length >> 1) - usable.filter(host => host.apart).length;
    for (let i = 0; i < Math.min(this.#queue.length, SCAN_MAX); ) {
      const item = this.#queue.at(i);
      const seats = this.#seatsOf(item, nowMs);
      const quickestMs = Math.min(...seats.map(seat => seat.leadMs(1) + seat.latencyMs(1)));
      if (seats.length > 0 && nowMs + quickestMs > item.deadlineMs) {
        drops.push(...this.#queue.take(i, 1));
        continue;
      }
      const seat =
        room > 0 ? firstFree(seats.filter(({ host }) => !host.apart && !(others && host.owesBatch))) : undefined;
      if (seat) {
        room--;
        seat.host.reserved = true;
        this.#reserved.add(seat.host);
      }
      if (seat?.host.idle && seat.host.freeAtMs <= nowMs + INSTANT_MS) {
        grants.push(this.#grantOn(seat, this.#queue.take(i, 1)[0]!, nowMs));
      } else i++;
    }
    for (const item of drops) this.#groups.delete(item);
    return { drops, grants };
  }

  #seatsOf(item: T, nowMs: number): Seat[] {
    const seats = this.#groups.get(item)!.seats;
    const all = seats.filter(seat => seat.holds(item.session.member ?? 0) && isUsable(seat.host, nowMs));
    const others = all.filter(({ host }) => host.name !== item.avoid);
    return others.length > 0 ? others : all;
  }

  #grantOn(seat: Seat, item: T, nowMs: number): Batch<T> {
    const group = this.#groups.get(item)!;
    this.#groups.delete(item);
    const startAtMs = nowMs + seat.leadMs(1);
    return { group, seat, items: [item], startAtMs, latestAtMs: item.deadlineMs - seat.latencyMs(1) };
  }

  #release(host: Host): void {
    host.reserved = false;
    this.#reserved.delete(host);
  }
}

const firstFree = (seats: readonly Seat[]): Seat | undefined =>
  seats.reduce<Seat | undefined>(
    (first, seat) => (first && first.host.bookedUntilMs <= seat.host.bookedUntilMs ? first : seat),
    undefined,
  );
