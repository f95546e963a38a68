import type { Fault } from './scenario.ts';
import type { Clock, Random } from '../../../contracts/index.ts';

export type Weather = Extract<Fault, { is: 'weather' }>;
type Cut = Pick<Extract<Fault, { is: 'cut' }>, 'from' | 'to'>;
type Echo = Extract<Fault, { is: 'echo' }>;

/** What `from` says to those whom `holds` names is held up until then, and comes in order. */
export interface Stall {
  readonly from: string;
  holds(to: string, subject: string): boolean;
  readonly untilMs: number;
}

const CALM_MS = 0.2;
/** What an echo repeats: all that an epoch is about. */
const REPEATED = /^ganglion\.(plans|orders\.)/;

/** What the links between processes do now. */
export class Links {
  readonly cuts = new Set<Cut>();
  readonly weather = new Set<Weather>();
  readonly echoes = new Set<Echo>();
  readonly stalls = new Set<Stall>();
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Delays of the copies that arrive, ms. */
  carry({ from, to, subject }: { from: string; to: string; subject: string }): readonly number[] {
    if (from === to) return [CALM_MS];
    for (const cut of this.cuts) if (is(cut.from, from) && is(cut.to, to)) return [];
    let delaysMs = [CALM_MS];
    for (const { who, loss, double, delayMs } of this.weather) {
      if (!is(who, to)) continue;
      if (this.#random.next() < loss) return [];
      if (this.#random.next() < double) delaysMs = [...delaysMs, delaysMs[0]! + 10 * this.#random.next()];
      delaysMs = delaysMs.map(ms => ms + delayMs * this.#random.next());
    }
    const heldMs = this.#heldMs(from, to, subject);
    return heldMs > 0 ? delaysMs.map(ms => ms + heldMs) : delaysMs;
  }

  #heldMs(from: string, to: string, subject: string): number {
    let untilMs = 0;
    for (const stall of this.stalls)
      if (stall.from === from && stall.holds(to, subject)) untilMs = Math.max(untilMs, stall.untilMs);
    return untilMs - this.#clock.nowMs();
  }

  /** How much later `to` sees a message once more, for each time. */
  echoesMs(to: string, subject: string): number[] {
    if (this.echoes.size === 0 || !REPEATED.test(subject)) return [];
    return [...this.echoes].filter(({ who }) => is(who, to)).map(({ delayMs }) => delayMs);
  }

  /** How much later than it arrives a message is seen by `to`. */
  lagMs(to: string): number {
    let lagMs = 0;
    for (const weather of this.weather) if (is(weather.who, to)) lagMs += weather.lagMs * this.#random.next();
    return lagMs;
  }
}

const is = (pattern: string, name: string): boolean => pattern === '*' || pattern === name;
