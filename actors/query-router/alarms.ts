/** Something that wants to be woken at `wakeAtMs` (Infinity: never). `alarmAtMs` is the heap's own note. */
export interface Sleeper {
  wakeAtMs: number;
  alarmAtMs: number;
}

/**
 * Who is to be woken when: a binary heap with at most one valid entry per sleeper. Waking later costs nothing (the entry is
 * moved when it comes up), only waking earlier adds an entry and leaves a stale one behind.
 */
export class Alarms<T extends Sleeper> {
  readonly #times: number[] = [];
  readonly #sleepers: T[] = [];

  /** When the next alarm goes off; Infinity when none is set. */
  get nextMs(): number {
    return this.#times[0] ?? Infinity;
  }

  /** Makes sure that the sleeper is woken at its `wakeAtMs`. */
  set(sleeper: T): void {
    if (sleeper.wakeAtMs >= sleeper.alarmAtMs) return;
    sleeper.alarmAtMs = sleeper.wakeAtMs;
    this.#push(sleeper.wakeAtMs, sleeper);
  }

  /** Wakes all that are due. */
  ring(nowMs: number, wake: (sleeper: T) => void): void {
    while (this.nextMs <= nowMs) {
      const timeMs = this.nextMs;
      const sleeper = this.#pop();
      if (timeMs !== sleeper.alarmAtMs) continue;
      sleeper.alarmAtMs = Infinity;
      if (sleeper.wakeAtMs <= nowMs) wake(sleeper);
      else this.set(sleeper);
    }
  }

  #push(timeMs: number, sleeper: T): void {
    const times = this.#times;
    const sleepers = this.#sleepers;
    let i = times.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (times[parent]! <= timeMs) break;
      times[i] = times[parent]!;
      sleepers[i] = sleepers[parent]!;
      i = parent;
    }
    times[i] = timeMs;
    sleepers[i] = sleeper;
  }

  #pop(): T {
    const times = this.#times;
    const sleepers = this.#sleepers;
    const first = sleepers[0]!;
    const timeMs = times.pop()!;
    const sleeper = sleepers.pop()!;
    const size = times.length;
    if (size === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      if (child + 1 < size && times[child + 1]! < times[child]!) child++;
      if (times[child]! >= timeMs) break;
      times[i] = times[child]!;
      sleepers[i] = sleepers[child]!;
      i = child;
    }
    times[i] = timeMs;
    sleepers[i] = sleeper;
    return first;
  }
}
