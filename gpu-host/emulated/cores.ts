import { sleep, type Clock } from '../../contracts/index.ts';

/** CPU cores that an emulated device has beside it. Each prepares one input at a time, in the order in which they come. */
export class Cores {
  readonly #clock: Clock;
  readonly #freeAtMs: number[];

  constructor(clock: Clock, count: number) {
    this.#clock = clock;
    this.#freeAtMs = Array.from({ length: count }, () => -Infinity);
  }

  /** Takes `ms` of the core that is free first. */
  async spend(ms: number): Promise<void> {
    if (!(ms > 0)) return;
    const nowMs = this.#clock.nowMs();
    const first = this.#freeAtMs.indexOf(Math.min(...this.#freeAtMs));
    const doneMs = Math.max(nowMs, this.#freeAtMs[first]!) + ms;
    this.#freeAtMs[first] = doneMs;
    await sleep(this.#clock, doneMs - nowMs);
  }
}
