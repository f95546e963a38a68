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
function leastEachMs(curve: Line, withinMs: number): number {
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
