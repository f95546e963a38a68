import type { Curve } from './curve.ts';

/** Processor time of a batch besides its runs, in all processes together: outline, grants, payloads, answers (docs/benchmarks.md, the path). */
const AROUND_BATCH_MS = 2;
/** One more run in a batch has to make its inputs cheaper by this share. */
const GAIN_MIN = 0.01;

/**
 * The largest batch to grant where the device runs at most `runMax` inputs at once, because of its memory or because more take longer
 * together than one after the other. Several runs in one batch take the device as long as in batches of their own, and one set of
 * messages instead of several; long runs are better bound one by one, as late as possible.
 * @returns a multiple of `runMax`
 */
export function grantMaxOf(curve: Curve, runMax: number, limits: { batchMax: number; latencyMs: number }): number {
  const runMs = curve.latencyMs(runMax);
  let runs = 1;
  while (
    (runs + 1) * runMax <= limits.batchMax &&
    (runs + 1) * runMs <= limits.latencyMs &&
    AROUND_BATCH_MS / (runs * (runs + 1)) >= GAIN_MIN * (runMs + AROUND_BATCH_MS / runs)
  )
    runs++;
  return runs * runMax;
}
