import { ConfigError } from '../../contracts/index.ts';

/** The share of frames that may be late, dropped or otherwise not answered in time. */
export const BAD_MAX = 0.01;
/** Shares of the rate that was found at which it is looked again: a bad policy can serve more and fail at less. */
const LOWER = [0.25, 0.5, 0.7, 0.8, 0.9, 0.95];
/** Steps up or down from the first rate; they grow up to doublings. */
const STEPS_MAX = 12;
const STEP_MAX = 2;
/** Standard errors by which a lower rate must be worse than allowed before it counts as failed: chance alone fails one in 1000. */
const CLEAR = 3;

/** What a run at a multiple of the scenario's rates came to. */
export interface Trial {
  readonly factor: number;
  readonly offeredHz: number;
  readonly goodHz: number;
  readonly badRate: number;
  /** That were counted: how exact the bad rate is. */
  readonly frames: number;
}

export interface Found {
  /** The highest rate that was served, and below which none was seen to fail. */
  readonly best: Trial;
  /** A rate this much higher fails. */
  readonly precision: number;
  /** Lower rates that failed: the system isn't monotone. */
  readonly failed: readonly Trial[];
  readonly trials: readonly Trial[];
}

export interface SearchOptions {
  /** How far apart the bounds of the result are, as a share. */
  readonly precision: number;
  /** Factor of the first trial; default 1. */
  readonly start?: number;
  /** Between the first trials; default 2. Closer where it is known about how much is served. */
  readonly step?: number;
  /** Shares of what was found at which it is looked again; default {@link LOWER}. */
  readonly lower?: readonly number[];
  /** Where a lower rate fails, the search goes on below it; false: the failure is told and the highest rate stands. Default true. */
  readonly descend?: boolean;
}

const serves = ({ badRate }: Trial): boolean => badRate <= BAD_MAX;

/** Beyond what chance can do to a system that serves 99 % in the long run. */
const failsClearly = ({ badRate, frames }: Trial): boolean =>
  badRate > BAD_MAX + CLEAR * Math.sqrt((BAD_MAX * (1 - BAD_MAX)) / Math.max(1, frames));

/**
 * The highest factor of the rates with at least 99 % in time: in growing steps, then by bisection until the bounds are
 * `precision` apart, then lower rates are tried.
 * @throws ConfigError when no rate is served
 */
export async function searchGoodput(run: (factor: number) => Promise<Trial>, options: SearchOptions): Promise<Found> {
  const { precision, start = 1, step = STEP_MAX, lower = LOWER, descend = true } = options;
  const trials: Trial[] = [];
  const attempt = async (factor: number): Promise<Trial> => {
    const trial = await run(factor);
    trials.push(trial);
    return trial;
  };
  let { low, high } = await bracket(attempt, start, step);
  const failed: Trial[] = [];
  for (;;) {
    while (high / low.factor > 1 + precision) {
      const trial = await attempt(Math.sqrt(low.factor * high));
      if (serves(trial)) low = trial;
      else high = trial.factor;
    }
    const failing = await firstFailing(low.factor, lower, attempt);
    if (failing) failed.push(failing);
    if (!failing || !descend) return { best: low, precision: high / low.factor - 1, failed, trials };
    high = failing.factor;
    const known = trials.filter(trial => serves(trial) && trial.factor < high).map(({ factor }) => factor);
    if (known.length > 0) low = trials.find(({ factor }) => factor === Math.max(...known))!;
    else ({ low, high } = await below(high, step, attempt));
  }
}

type Attempt = (factor: number) => Promise<Trial>;

interface Bracket {
  readonly low: Trial;
  readonly high: number;
}

/** A rate that is served below one that isn't. */
async function bracket(attempt: Attempt, start: number, step: number): Promise<Bracket> {
  let low = await attempt(start);
  if (!serves(low)) return below(start, step, attempt);
  for (let i = 0; i < STEPS_MAX; i++) {
    const trial = await attempt(step * low.factor);
    if (!serves(trial)) return { low, high: trial.factor };
    low = trial;
    step = Math.min(STEP_MAX, step * step);
  }
  throw new ConfigError(`even ${(low.factor / start).toFixed(0)} times its rates are served`, {
    remedy: 'let the streams send more, or take devices away',
  });
}

async function below(high: number, step: number, attempt: Attempt): Promise<Bracket> {
  for (let i = 0; i < STEPS_MAX; i++) {
    const trial = await attempt(high / step);
    if (serves(trial)) return { low: trial, high };
    high = trial.factor;
    step = Math.min(STEP_MAX, step * step);
  }
  throw new ConfigError('no rate is served with 99 % in time', {
    remedy: 'allow more time (objectiveMs), or add devices',
  });
}

/** The lowest of the lower rates that fails. */
async function firstFailing(factor: number, lower: readonly number[], attempt: Attempt): Promise<Trial | undefined> {
  for (const share of lower) {
    const trial = await attempt(share * factor);
    if (failsClearly(trial)) return trial;
  }
  return undefined;
}
