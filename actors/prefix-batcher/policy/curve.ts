import type { Profile } from '../../../contracts/index.ts';

/** ℓ(b) of one model on one kind of device, for each b of 1..batchMax (index 0 is unused). */
export interface Curve {
  readonly batchMax: number;
  /** Mean device time, growing with b. */
  readonly meanMs: Float64Array;
  /** How far the measured tail (p99, or 2.33 standard deviations) lies above the mean. */
  readonly tailMs: Float64Array;
}

const NORMAL_P99 = 2.33;

/**
 * Straight lines between the measured points, carried on beyond the last; made to grow, since measured points can dip. A batch of more than
 * `runMax` takes several runs.
 */
export function curveOf(profile: Pick<Profile, 'points'>, batchMax: number, runMax = batchMax): Curve {
  const points = [...profile.points].sort((a, b) => a.batch - b.batch);
  const tails = points.map(point => Math.max(0, point.p99Ms - point.meanMs, NORMAL_P99 * point.stdMs));
  const batches = points.map(point => point.batch);
  const means = points.map(point => point.meanMs);
  const meanMs = new Float64Array(batchMax + 1);
  const tailMs = new Float64Array(batchMax + 1);
  for (let b = 1; b <= Math.min(batchMax, runMax); b++) {
    meanMs[b] = Math.max(meanMs[b - 1]!, lineThrough(batches, means, b));
    tailMs[b] = Math.max(0, lineThrough(batches, tails, b));
  }
  for (let b = runMax + 1; b <= batchMax; b++) {
    meanMs[b] = meanMs[b - runMax]! + meanMs[runMax]!;
    tailMs[b] = tailMs[b - runMax]! + tailMs[runMax]!;
  }
  return { batchMax, meanMs, tailMs };
}

/** The piecewise linear function through (xs, ys), `xs` growing; below the first point it is constant. */
function lineThrough(xs: readonly number[], ys: readonly number[], x: number): number {
  const first = xs[0];
  if (first === undefined) throw new RangeError('a curve needs at least one point');
  if (x <= first) return ys[0]!;
  if (xs.length === 1) return (ys[0]! * x) / first;
  let right = xs.findIndex(known => known >= x);
  if (right < 0) right = xs.length - 1;
  const [x0, x1, y0, y1] = [xs[right - 1]!, xs[right]!, ys[right - 1]!, ys[right]!];
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}
