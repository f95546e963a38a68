import type { Alarm, Clock } from '../../contracts/index.ts';

/** Timers of platforms have bounds; an alarm that rings too early does no harm. */
const ALARM_MS_MAX = 60_000;

interface Sleeper {
  readonly wakeAtMs: number;
}

/** Of one sleeper. */
interface Armed {
  readonly alarm: Alarm;
  /** Infinity: it is not set. */
  atMs: number;
}

/** One timer for each pool. One that rings too early finds nothing to do and sets the next, so none is ever moved to later. */
export class Alarms<T extends Sleeper> {
  readonly #clock: Pick<Clock, 'nowMs' | 'alarm'>;
  readonly #ring: (sleeper: T) => void;
  readonly #alarms = new Map<T, Armed>();

  constructor(clock: Pick<Clock, 'nowMs' | 'alarm'>, ring: (sleeper: T) => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Ends the alarms of all others. */
  keep(sleepers: Iterable<T>): void {
    const kept = new Set(sleepers);
    for (const [sleeper, { alarm }] of this.#alarms) {
      if (kept.has(sleeper)) continue;
      alarm.clear();
      this.#alarms.delete(sleeper);
    }
  }

  /** Sets what `sleepers` ask for. */
  set(sleepers: Iterable<T>): void {
    for (const sleeper of sleepers) {
      const atMs = sleeper.wakeAtMs;
      if (atMs === Infinity) continue;
      const armed = this.#of(sleeper);
      if (armed.atMs <= atMs) continue;
      armed.atMs = atMs;
      armed.alarm.set(Math.min(ALARM_MS_MAX, Math.max(0, atMs - this.#clock.nowMs())));
    }
  }

  #of(sleeper: T): Armed {
    const known = this.#alarms.get(sleeper);
    if (known) return known;
    const alarm = this.#clock.alarm(() => {
      armed.atMs = Infinity;
      this.#ring(sleeper);
    });
    const armed: Armed = { alarm, atMs: Infinity };
    this.#alarms.set(sleeper, armed);
    return armed;
  }
}
