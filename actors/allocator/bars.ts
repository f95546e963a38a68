import type { Clock } from '../../contracts/index.ts';

/** Which host could not load which model lately: it is not planned there again for `barMs`. */
export class Bars {
  readonly #clock: Clock;
  readonly #barMs: number;
  /** By `<host> <model>`. */
  readonly #bars = new Map<string, { detail: string; untilMs: number }>();

  constructor(clock: Clock, barMs: number) {
    this.#clock = clock;
    this.#barMs = barMs;
  }

  add(host: string, model: string, detail: string): void {
    this.#bars.set(`${host} ${model}`, { detail, untilMs: this.#clock.nowMs() + this.#barMs });
  }

  /** It is there after all. */
  lift(host: string, model: string): void {
    this.#bars.delete(`${host} ${model}`);
  }

  /** Model id → why. */
  on(host: string): Map<string, string> {
    const models = new Map<string, string>();
    for (const [key, { detail, untilMs }] of this.#bars) {
      if (untilMs <= this.#clock.nowMs()) this.#bars.delete(key);
      else if (key.startsWith(`${host} `)) models.set(key.slice(host.length + 1), detail);
    }
    return models;
  }
}
