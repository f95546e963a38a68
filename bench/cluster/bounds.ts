import type { Linear } from './curves.ts';

type Line = Pick<Linear, 'alphaMs' | 'betaMs' | 'batchMax'>;

export interface BoundStage {
  readonly curve: Line;
  /** Invocations of it for each frame. */
  readonly perFrame: number;
  /** It looks at what the first stage found, so the two share the objective; else it has all of it. */
  readonly after?: boolean;
}

const runMs = ({ alphaMs, betaMs }: Line, batch: number): number => alphaMs * batch + betaMs;

/** The least device time for an input, ms, in batches that end within `withinMs`; Infinity where not even one does. */
export function leastEachMs(curve: Line, withinMs: number): number {
  const batch = Math.min(curve.batchMax, Math.floor((withinMs - curve.betaMs) / curve.alphaMs + 1e-9));
  return batch < 1 ? Infinity : runMs(curve, batch) / batch;
}

/**
 * No policy serves more frames a second on so many devices: each is busy all of the time, and each batch is as large as its stage's part
 * of the objective lets it be, ℓ(b) ≤ t, with the best parts for a first stage and those after it. Nobody waits for anything.
 */
export function upperBoundHz(stages: readonly BoundStage[], objectiveMs: number, hosts: number): number {
  const first = stages.find(({ after }) => !after)!.curve;
  const perFrameMs = (firstMs: number): number =>
    stages.reduce((sum, { curve, perFrame, after }) => {
      const withinMs = after ? objectiveMs - firstMs : curve === first ? firstMs : objectiveMs;
      return sum + perFrame * leastEachMs(curve, withinMs);
    }, 0);
  const chained = stages.some(({ after }) => after);
  const parts = chained ? Array.from({ length: first.batchMax }, (_, i) => runMs(first, i + 1)) : [objectiveMs];
  return (1000 * hosts) / Math.min(...parts.map(perFrameMs));
}

/** What n devices that take turns can serve with one model, Hz: the largest batch with (1 + 1/n)·ℓ(b) ≤ L; 0 where none fits. */
export function staggeredBoundHz(curve: Line, objectiveMs: number, hosts: number): number {
  const eachMs = leastEachMs(curve, objectiveMs / (1 + 1 / hosts));
  return eachMs === Infinity ? 0 : (1000 * hosts) / eachMs;
}

/**
 * What `hosts` devices can serve at most where inputs of each of several models come by Poisson with a rate of its own (`shares` of all) and are
 * batched in the order in which they come: a batch that begins with an input ends in time for it only if all others come within L − ℓ(b). So it
 * has at least k inputs with the probability that k − 1 come within L − ℓ(k), and 1 + Σ of these for k ≥ 2 on average. Devices are busy all of the
 * time and nobody waits for one. `besides`: device time of what else a frame needs, ms.
 */
export function apartBoundHz(
  curve: Line,
  shares: readonly number[],
  { objectiveMs, hosts, besidesMs }: { objectiveMs: number; hosts: number; besidesMs: number },
): number {
  const busy = (rateHz: number): number =>
    shares.reduce(
      (sum, share) => {
        const perMs = (share * rateHz) / 1000;
        return sum + perMs * (curve.alphaMs + curve.betaMs / meanBatch(curve, perMs, objectiveMs));
      },
      (rateHz * besidesMs) / 1000,
    );
  let [low, high] = [0, (1000 * hosts) / curve.alphaMs];
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (busy(middle) <= hosts) low = middle;
    else high = middle;
  }
  return low;
}

function meanBatch(curve: Line, perMs: number, objectiveMs: number): number {
  let mean = 1;
  for (let batch = 2; batch <= curve.batchMax; batch++) {
    const withinMs = objectiveMs - runMs(curve, batch);
    if (withinMs <= 0) break;
    mean += chanceOfAtLeast(batch - 1, perMs * withinMs);
  }
  return mean;
}

/** Of a Poisson variable with this mean. */
function chanceOfAtLeast(count: number, mean: number): number {
  let [chance, fewer] = [Math.exp(-mean), 0];
  for (let i = 0; i < count; i++) {
    fewer += chance;
    chance *= mean / (i + 1);
  }
  return Math.max(0, 1 - fewer);
}
