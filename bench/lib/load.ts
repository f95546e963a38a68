import { quantile } from './stats.ts';

export interface Sample {
  readonly rateHz: number;
  readonly sent: number;
  readonly answered: number;
  /** Share of what was sent that was answered within the objective, counted from when it was due to be sent. */
  readonly inTime: number;
  /** Latency from the moment of sending, ms: the generator's own lateness is not the path's. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LoadTarget {
  /** Sends request `n`; `ended` must be called once when its answer is there (`ok`) or won't come any more. */
  send(n: number, ended: (ok: boolean) => void): void;
}

interface OpenLoop {
  readonly rateHz: number;
  readonly seconds: number;
  readonly objectiveMs: number;
  /** How long to wait for the last answers: what is left over would burden the next measurement. */
  readonly graceMs?: number;
}

const pause = (ms: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, ms));

/**
 * Open loop: `rateHz` requests a second for `seconds`, whatever comes back. Arrivals that fell due while the generator was busy
 * are sent at once, and whether they are in time counts from when they were due (no coordinated omission).
 */
export async function offerLoad(target: LoadTarget, options: OpenLoop): Promise<Sample> {
  const { rateHz, seconds, objectiveMs, graceMs = 4000 } = options;
  const total = Math.max(1, Math.round(rateHz * seconds));
  const latenciesMs = new Float64Array(total);
  const startMs = performance.now();
  const count = { sent: 0, ended: 0, answered: 0, inTime: 0 };
  const sendNext = (): void => {
    const dueMs = startMs + (count.sent / rateHz) * 1000;
    const sentMs = performance.now();
    target.send(count.sent++, ok => {
      count.ended++;
      if (!ok) return;
      const nowMs = performance.now();
      latenciesMs[count.answered++] = nowMs - sentMs;
      if (nowMs - dueMs <= objectiveMs) count.inTime++;
    });
  };
  while (count.sent < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) / 1000) * rateHz) + 1);
    while (count.sent < due) sendNext();
    await pause(1);
  }
  const endMs = performance.now() + graceMs;
  while (count.ended < count.sent && performance.now() < endMs) await pause(5);
  const latencies = latenciesMs.subarray(0, count.answered);
  return {
    rateHz,
    sent: count.sent,
    answered: count.answered,
    inTime: count.inTime / count.sent,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}

/** Closed loop: `window` requests under way for `seconds`. @returns those that were answered, per second */
export async function saturate(target: LoadTarget, window: number, seconds: number): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let sent = 0;
  let answered = 0;
  let underWay = 0;
  let allEnded: () => void = () => {};
  const done = new Promise<void>(resolve => (allEnded = resolve));
  const next = (): void => {
    underWay++;
    target.send(sent++, ok => {
      underWay--;
      if (ok) answered++;
      // Not from within the answer: the target may call it while it sends.
      if (performance.now() < endMs) queueMicrotask(next);
      else if (underWay === 0) allEnded();
    });
  };
  for (let i = 0; i < window; i++) next();
  await Promise.race([done, pause(seconds * 1000 + 2000)]);
  return answered / seconds;
}

export interface GoodputOptions {
  /** Where the search begins: a rate that is hardly reached. */
  readonly fromHz: number;
  readonly seconds: number;
  readonly objectiveMs: number;
  /** Least share in time. */
  readonly share?: number;
  readonly onSample?: (sample: Sample) => void;
  /** Takes a measurement, again if need be: see {@link Calm}. */
  readonly measure?: <T>(work: () => Promise<T>) => Promise<T>;
}

const STEP_COARSE = 1.15;
const STEP_FINE = 1.05;
/** A sample is taken again when it fails: on a shared machine somebody else's burst is no property of the target. */
const TRIES = 2;
const STEPS_MAX = 20;

/**
 * The highest rate at which at least `share` of the requests are in time: down from `fromHz` in steps of 15 % until it holds,
 * then up in steps of 5 %. From above, because goodput need not fall with the rate: small batches cost more each.
 */
export async function findGoodput(target: LoadTarget, options: GoodputOptions): Promise<Sample | undefined> {
  const { fromHz, seconds, objectiveMs, share = 0.99, onSample, measure = work => work() } = options;
  const holds = async (rateHz: number): Promise<Sample | undefined> => {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const sample = await measure(() => offerLoad(target, { rateHz, seconds, objectiveMs }));
      onSample?.(sample);
      await pause(200);
      if (sample.inTime >= share) return sample;
    }
    return undefined;
  };
  let best: Sample | undefined;
  let rateHz = fromHz;
  for (let step = 0; step < STEPS_MAX && !best; step++, rateHz /= STEP_COARSE) best = await holds(rateHz);
  for (let step = 0; step < STEPS_MAX && best; step++) {
    const better = await holds(best.rateHz * STEP_FINE);
    if (!better) break;
    best = better;
  }
  return best;
}
