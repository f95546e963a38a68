import type { Fault } from './scenario.ts';
import type { Random } from '../../../contracts/index.ts';

export type Weather = Extract<Fault, { is: 'weather' }>;
type Cut = Extract<Fault, { is: 'cut' }>;

const CALM_MS = 0.2;

/** What the links between processes do now. */
export class Links {
  readonly cuts = new Set<Cut>();
  readonly weather = new Set<Weather>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Delays of the copies that arrive, ms. */
  carry({ from, to }: { from: string; to: string }): readonly number[] {
    if (from === to) return [CALM_MS];
    for (const cut of this.cuts) if (is(cut.from, from) && is(cut.to, to)) return [];
    let delaysMs = [CALM_MS];
    for (const { who, loss, double, delayMs } of this.weather) {
      if (!is(who, to)) continue;
      if (this.#random.next() < loss) return [];
      if (this.#random.next() < double) delaysMs = [...delaysMs, delaysMs[0]! + 10 * this.#random.next()];
      delaysMs = delaysMs.map(ms => ms + delayMs * this.#random.next());
    }
    return delaysMs;
  }

  /** How much later than it arrives a message is seen by `to`. */
  lagMs(to: string): number {
    let lagMs = 0;
    for (const weather of this.weather) if (is(weather.who, to)) lagMs += weather.lagMs * this.#random.next();
    return lagMs;
  }
}

const is = (pattern: string, name: string): boolean => pattern === '*' || pattern === name;
