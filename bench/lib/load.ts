import { quantile } from './stats.ts';

export interface Sample {
  readonly rateHz: number;
  readonly sent: number;
  readonly answered: number;
  /** Share of what was sent that was answered within the objective. */
  readonly inTime: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LoadTarget {
  /** Sends request `n`; `answered` must be called when (and only if) its answer is there. */
  send(n: number, answered: () => void): void;
}

/**
 * Open loop: `rateHz` requests a second for `seconds`, whatever comes back; arrivals that fell due while the generator was busy
 * are sent at once, and their latency counts from when they were due (no coordinated omission).
 */
export async function offerLoad(
  target: LoadTarget,
  options: { rateHz: number; seconds: number; objectiveMs: number; graceMs?: number },
): Promise<Sample> {
  const { rateHz, seconds, objectiveMs, graceMs = 500 } = options;
  const total = Math.round(rateHz * seconds);
  const latencies: number[] = [];
  const startMs = performance.now();
  let sent = 0;
  await new Promise<void>(resolve => {
    const tick = (): void => {
      const due = Math.min(total, Math.floor(((performance.now() - startMs) / 1000) * rateHz) + 1);
      while (sent < due) {
        const dueMs = startMs + (sent / rateHz) * 1000;
        target.send(sent, () => void latencies.push(performance.now() - dueMs));
        sent++;
      }
      if (sent < total) setTimeout(tick, 1);
      else resolve();
    };
    tick();
  });
  const endMs = performance.now() + graceMs;
  while (latencies.length < sent && performance.now() < endMs) await new Promise(resolve => setTimeout(resolve, 5));
  return {
    rateHz,
    sent,
    answered: latencies.length,
    inTime: latencies.filter(ms => ms <= objectiveMs).length / sent,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}

/** The highest rate at which at least `share` of the requests are in time: up by halves until it fails, then between. */
export async function findGoodput(
  target: LoadTarget,
  options: {
    startHz: number;
    seconds: number;
    objectiveMs: number;
    share?: number;
    steps?: number;
    onSample?: (sample: Sample) => void;
  },
): Promise<Sample | undefined> {
  const { seconds, objectiveMs, share = 0.99, steps = 4, onSample } = options;
  const good = async (rateHz: number): Promise<Sample | undefined> => {
    const sample = await offerLoad(target, { rateHz, seconds, objectiveMs });
    onSample?.(sample);
    await new Promise(resolve => setTimeout(resolve, 200)); // let what is left over drain
    return sample.inTime >= share ? sample : undefined;
  };
  let best: Sample | undefined;
  let lowHz = 0;
  let highHz = options.startHz;
  for (;;) {
    const sample = await good(highHz);
    if (!sample) break;
    best = sample;
    lowHz = highHz;
    highHz *= 1.5;
  }
  for (let i = 0; i < steps; i++) {
    const middleHz = (lowHz + highHz) / 2;
    const sample = await good(middleHz);
    if (sample) [best, lowHz] = [sample, middleHz];
    else highHz = middleHz;
  }
  return best;
}
