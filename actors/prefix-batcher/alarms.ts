import type { Cancel, Clock } from '../../contracts/index.ts';

/** Timers of platforms have bounds; an alarm that rings too early does no harm. */
const ALARM_MS_MAX = 60_000;

interface Sleeper {
  readonly wakeAtMs: number;
}

/** One timer for each pool. One that rings too early finds nothing to do and sets the next, so none is ever moved to later. */
export class Alarms<T extends Sleeper> {
  readonly #clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly #ring: (sleeper: T) => void;
  readonly #set = new Map<T, { readonly atMs: number; readonly cancel: Cancel }>();

  constructor(clock: Pick<Clock, 'nowMs' | 'after'>, ring: (sleeper: T) => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Ends the alarms of all others. */
  keep(sleepers: Iterable<T>): void {
    const kept = new Set(sleepers);
    for (const [sleeper, { cancel }] of this.#set) {
      if (kept.has(sleeper)) continue;
      cancel();
      this.#set.delete(sleeper);
    }
  }

  /** Sets what `sleepers` ask for. */
  set(sleepers: Iterable<T>): void {
    for (const sleeper of sleepers) {
      const set = this.#set.get(sleeper);
      const atMs = sleeper.wakeAtMs;
      if (atMs === Infinity || (set && set.atMs <= atMs)) continue;
      set?.cancel();
      const delayMs = Math.min(ALARM_MS_MAX, Math.max(0, atMs - this.#clock.nowMs()));
      const cancel = this.#clock.after(delayMs, () => {
        this.#set.delete(sleeper);
        this.#ring(sleeper);
      });
      this.#set.set(sleeper, { atMs, cancel });
    }
  }
}
