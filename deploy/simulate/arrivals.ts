import { exponential, type Random } from '../../contracts/index.ts';

/** A rate that holds until then. */
export interface RateStep {
  readonly untilMs: number;
  readonly rateHz: number;
}

/** Piecewise constant rates, for ever: the last step ends at Infinity. */
export type Rates = Iterator<RateStep, never>;

/** Arrivals on a time line of rates: `gap` draws the next distance for a rate of one (its mean is 1). */
export class Arrivals {
  readonly #rates: Rates;
  readonly #gap: () => number;
  #step: RateStep;
  #atMs = 0;

  constructor(rates: Rates, gap: () => number) {
    this.#rates = rates;
    this.#gap = gap;
    this.#step = rates.next().value;
  }

  /** When the next one arrives, ms from the beginning; Infinity: none any more. */
  next(): number {
    let rest = this.#gap();
    for (;;) {
      const { untilMs, rateHz } = this.#step;
      const inStep = ((untilMs - this.#atMs) * rateHz) / 1000;
      if (rateHz > 0 && rest <= inStep) return (this.#atMs += (1000 * rest) / rateHz);
      if (untilMs === Infinity) return Infinity;
      if (rateHz > 0) rest -= inStep;
      this.#atMs = untilMs;
      this.#step = this.#rates.next().value;
    }
  }
}

/** Evenly spaced after a first gap of any length up to one: streams don't begin in step. */
export function even(random: Random): () => number {
  let first = true;
  return () => {
    if (!first) return 1;
    first = false;
    return random.next();
  };
}

export const poisson = (random: Random) => (): number => exponential(random, 1);

export function* steady(rateHz: number): Generator<RateStep, never> {
  for (;;) yield { untilMs: Infinity, rateHz };
}

/** The steps of a table, which begins again after `periodMs`. Times grow and begin at 0. */
export function* repeated(
  table: readonly { readonly atMs: number; readonly rateHz: number }[],
  periodMs: number,
): Generator<RateStep, never> {
  for (let fromMs = 0; ; fromMs += periodMs) {
    for (const [i, { rateHz }] of table.entries()) yield { untilMs: fromMs + (table[i + 1]?.atMs ?? periodMs), rateHz };
  }
}

/**
 * Bursts and rests of exponential duration. In a burst the rate is `factor` times the one at rest; the mean over all is `rateHz`.
 * @param everyMs mean time from the beginning of a burst to the next, longer than `burstMs`
 */
export function* bursts(
  facts: { readonly rateHz: number; readonly factor: number; readonly burstMs: number; readonly everyMs: number },
  random: Random,
): Generator<RateStep, never> {
  const { rateHz, factor, burstMs, everyMs } = facts;
  const share = burstMs / everyMs;
  const restHz = rateHz / (1 + share * (factor - 1));
  let bursting = random.next() < share;
  for (let atMs = 0; ; bursting = !bursting) {
    atMs += exponential(random, bursting ? burstMs : everyMs - burstMs);
    yield { untilMs: atMs, rateHz: bursting ? factor * restHz : restHz };
  }
}

/** A time in which rates are multiplied. */
export interface Surge {
  readonly fromMs: number;
  readonly toMs: number;
  readonly factor: number;
}

/** The same rates with all surges; those that overlap multiply. */
export function* surging(rates: Rates, surges: readonly Surge[]): Generator<RateStep, never> {
  const edges = [...new Set(surges.flatMap(({ fromMs, toMs }) => [fromMs, toMs]))].sort((a, b) => a - b);
  let atMs = 0;
  let step = rates.next().value;
  for (;;) {
    const now = atMs;
    const untilMs = Math.min(step.untilMs, edges.find(edgeMs => edgeMs > now) ?? Infinity);
    const factor = surges.reduce((all, one) => (one.fromMs <= now && now < one.toMs ? all * one.factor : all), 1);
    yield { untilMs, rateHz: factor * step.rateHz };
    atMs = untilMs;
    if (atMs >= step.untilMs) step = rates.next().value;
  }
}
