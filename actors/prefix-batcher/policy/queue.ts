import type { QueueView, Waiting } from './view.ts';

/**
 * Waiting things in the order of their deadlines, kept by binary insertion: most arrive with the latest deadline, so an
 * insertion moves little. Equal deadlines keep the order in which they came.
 */
export class DeadlineQueue<T extends Waiting> implements QueueView {
  readonly #items: T[] = [];

  get length(): number {
    return this.#items.length;
  }

  at(index: number): T {
    return this.#items[index]!;
  }

  deadlineAt(index: number): number {
    return this.#items[index]!.deadlineMs;
  }

  arrivedAt(index: number): number {
    return this.#items[index]!.arrivedAtMs ?? -Infinity;
  }

  countBefore(timeMs: number): number {
    return this.#count(timeMs, false);
  }

  add(item: T): void {
    const { deadlineMs } = item;
    const last = this.#items.at(-1);
    if (last === undefined || last.deadlineMs <= deadlineMs) this.#items.push(item);
    else this.#items.splice(this.#count(deadlineMs, true), 0, item);
  }

  /** False when it wasn't there. */
  remove(item: T): boolean {
    for (let i = this.countBefore(item.deadlineMs); i < this.#items.length; i++) {
      const other = this.#items[i]!;
      if (other.deadlineMs > item.deadlineMs) return false;
      if (other !== item) continue;
      this.#items.splice(i, 1);
      return true;
    }
    return false;
  }

  /** Takes out [from, from + count). */
  take(from: number, count: number): T[] {
    const items = this.#items;
    const taken = items.slice(from, from + count);
    // Not by `splice`, which gives the room back: what comes next would have to ask for it again.
    for (let i = from + taken.length; i < items.length; i++) items[i - taken.length] = items[i]!;
    for (let i = 0; i < taken.length; i++) items.pop();
    return taken;
  }

  /** How many have a deadline before `timeMs`, or `at` it. */
  #count(timeMs: number, at: boolean): number {
    const items = this.#items;
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { deadlineMs } = items[middle]!;
      if (deadlineMs < timeMs || (at && deadlineMs === timeMs)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
