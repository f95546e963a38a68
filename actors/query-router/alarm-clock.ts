import type { Cancel } from '../../contracts/index.ts';
import { Alarms, type Sleeper } from './alarms.ts';

/** Rest between two rings: with many alarms a timer for each would cost more than it is worth. */
const REST_MS = 1;

/** One timer for all sleepers: set for the earliest alarm. */
export class AlarmClock<T extends Sleeper> {
  readonly #alarms = new Alarms<T>();
  readonly #nowMs: () => number;
  readonly #after: (delayMs: number, fn: () => void) => Cancel;
  readonly #wake: (sleeper: T) => void;
  #armedForMs = Infinity;
  #disarm: Cancel = () => {};

  constructor(nowMs: () => number, after: (delayMs: number, fn: () => void) => Cancel, wake: (sleeper: T) => void) {
    this.#nowMs = nowMs;
    this.#after = after;
    this.#wake = wake;
  }

  /** Makes sure that the sleeper is woken at its `wakeAtMs`. */
  set(sleeper: T): void {
    this.#alarms.set(sleeper);
    if (sleeper.alarmAtMs < this.#armedForMs) this.#arm(0);
  }

  #arm(restMs: number): void {
    const nowMs = this.#nowMs();
    const atMs = Math.max(this.#alarms.nextMs, nowMs + restMs);
    if (atMs >= this.#armedForMs) return;
    this.#disarm();
    this.#armedForMs = atMs;
    this.#disarm = this.#after(atMs - nowMs, () => {
      this.#armedForMs = Infinity;
      this.#alarms.ring(this.#nowMs(), this.#wake);
      this.#arm(REST_MS);
    });
  }
}
