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
    return this.#bound(deadlineMs => deadlineMs < timeMs);
  }

  add(item: T): void {
    const last = this.#items.at(-1);
    if (last === undefined || last.deadlineMs <= item.deadlineMs) this.#items.push(item);
    else
      this.#items.splice(
        this.#bound(deadlineMs => deadlineMs <= item.deadlineMs),
        0,
        item,
      );
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
    return this.#items.splice(from, count);
  }

  /** How many at the front have deadlines that `isBefore` accepts. */
  #bound(isBefore: (deadlineMs: number) => boolean): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#items[middle]!.deadlineMs)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
