import type { Profile } from '../contracts/index.ts';

/** Measured throughputs closer than this are equal. */
const TOLERANCE = 0.02;

/**
 * The profile without the batches that no longer pay: those beyond the last whose throughput b/ℓ(b) is within 2 % of the best
 * smaller one. On GPUs that is usually all of it. On a CPU a large convolution can be slower in a batch than input by input;
 * then batches of one serve more requests, each of them sooner.
 */
export function worthwhile(profile: Profile): Profile {
  const points = profile.points.toSorted((a, b) => a.batch - b.batch);
  let best = 0;
  let last = 0;
  for (const [i, { batch, meanMs }] of points.entries()) {
    const throughput = batch / Math.max(meanMs, Number.MIN_VALUE);
    if (throughput >= best * (1 - TOLERANCE)) last = i;
    best = Math.max(best, throughput);
  }
  return last === points.length - 1 ? profile : { ...profile, points: points.slice(0, last + 1) };
}
