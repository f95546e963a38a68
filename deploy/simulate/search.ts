import { ConfigError } from '../../contracts/index.ts';

/** The share of frames that may be late, dropped or otherwise not answered in time. */
export const BAD_MAX = 0.01;
/** Shares of the rate that was found at which it is looked again: a bad policy can serve more and fail at less. */
const LOWER = [0.25, 0.5, 0.7, 0.8, 0.9, 0.95];
/** Doublings or halvings from the scenario's own rate. */
const STEPS_MAX = 12;

/** What a run at a multiple of the scenario's rates came to. */
export interface Trial {
  readonly factor: number;
  readonly offeredHz: number;
  readonly goodHz: number;
  readonly badRate: number;
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

const serves = ({ badRate }: Trial): boolean => badRate <= BAD_MAX;

/**
 * The highest factor of the rates with at least 99 % in time: by doubling, then by bisection until the bounds are `precision`
 * apart, then lower rates are tried.
 * @throws ConfigError when no rate is served
 */
export async function searchGoodput(run: (factor: number) => Promise<Trial>, precision: number): Promise<Found> {
  const trials: Trial[] = [];
  const attempt = async (factor: number): Promise<Trial> => {
    const trial = await run(factor);
    trials.push(trial);
    return trial;
  };
  let { low, high } = await bracket(attempt);
  const failed: Trial[] = [];
  for (;;) {
    while (high / low.factor > 1 + precision) {
      const trial = await attempt(Math.sqrt(low.factor * high));
      if (serves(trial)) low = trial;
      else high = trial.factor;
    }
    const lower = await firstFailing(low.factor, attempt);
    if (!lower) return { best: low, precision: high / low.factor - 1, failed, trials };
    failed.push(lower);
    high = lower.factor;
    const known = trials.filter(trial => serves(trial) && trial.factor < high).map(({ factor }) => factor);
    low = known.length > 0 ? trials.find(({ factor }) => factor === Math.max(...known))! : await below(high, attempt);
  }
}

type Attempt = (factor: number) => Promise<Trial>;

/** A rate that is served below one that isn't. */
async function bracket(attempt: Attempt): Promise<{ low: Trial; high: number }> {
  let low = await attempt(1);
  if (!serves(low)) return { low: await below(1, attempt), high: 1 };
  for (let step = 0; step < STEPS_MAX; step++) {
    const trial = await attempt(2 * low.factor);
    if (!serves(trial)) return { low, high: trial.factor };
    low = trial;
  }
  throw new ConfigError(`even ${2 ** STEPS_MAX} times its rates are served`, {
    remedy: 'let the streams send more, or take devices away',
  });
}

async function below(high: number, attempt: Attempt): Promise<Trial> {
  for (let step = 1; step <= STEPS_MAX; step++) {
    const trial = await attempt(high / 2 ** step);
    if (serves(trial)) return trial;
  }
  throw new ConfigError('no rate is served with 99 % in time', {
    remedy: 'allow more time (objectiveMs), or add devices',
  });
}

/** The lowest of the lower rates that fails. */
async function firstFailing(factor: number, attempt: Attempt): Promise<Trial | undefined> {
  for (const share of LOWER) {
    const trial = await attempt(share * factor);
    if (!serves(trial)) return trial;
  }
  return undefined;
}
