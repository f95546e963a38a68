import { largestFitting } from './largest.ts';

/** What the size of a batch is judged by. */
export interface Demand {
  /** Invocations per second. */
  readonly rateHz: number;
  /** Usual time from arrival until the run must have ended. */
  readonly budgetMs: number;
  readonly batchMax: number;
  latencyMs(batch: number): number;
}

/**
 * The largest batch that can be kept up within the budget. With n = r·ℓ(b)/b devices that start by turns, an invocation waits at
 * most ℓ(b)/n and then runs: ℓ(b)·(1 + 1/n) ≤ L. With less than one device it waits for the batch to fill instead:
 * ℓ(b) + (b − 1)/r ≤ L. Without a rate the device is taken to be alone: 2ℓ(b) ≤ L. (Symphony's batch size estimator.)
 * @returns 1 ≤ b ≤ batchMax
 */
export function batchTarget(demand: Demand): number {
  const { rateHz, budgetMs, batchMax } = demand;
  const perMs = rateHz / 1000;
  if (!(perMs > 0))
    return Math.max(
      1,
      largestFitting(batchMax, b => 2 * demand.latencyMs(b) <= budgetMs),
    );
  for (let b = 1; b <= batchMax; b++) {
    const devices = (perMs * demand.latencyMs(b)) / b;
    if (demand.latencyMs(b) * (1 + 1 / Math.max(1, devices)) <= budgetMs) continue;
    if (devices > 1) return Math.max(1, b - 1);
    return Math.max(
      1,
      largestFitting(batchMax, b => demand.latencyMs(b) + (b - 1) / perMs <= budgetMs),
    );
  }
  return batchMax;
}

/**
 * For each group the smallest batch at which `devices` carry the whole load Σ r·ℓ(b)/b: all groups go the same share of the way
 * from 1 to their targets. Where even the targets don't do, the targets; in any case the smallest that do (nearly) as well.
 */
export function batchesSustaining(demands: readonly Demand[], targets: readonly number[], devices: number): number[] {
  // `| 0`: whole for the engine, too. A group's size that changes its kind has all that looks at groups compiled anew.
  const at = (share: number): number[] => targets.map(target => Math.ceil(1 + share * (target - 1)) | 0);
  const load = (batches: readonly number[]): number =>
    demands.reduce((sum, demand, i) => {
      const batch = batches[i]!;
      return sum + ((demand.rateHz / 1000) * demand.latencyMs(batch)) / batch;
    }, 0);
  let low = 0;
  let high = 1;
  if (load(at(low)) <= devices) return at(low);
  for (let i = 0; i < 7; i++) {
    const middle = (low + high) / 2;
    if (load(at(middle)) <= devices) high = middle;
    else low = middle;
  }
  return at(high).map((batch, i) => asQuick(demands[i]!, batch));
}

/** A smaller batch that costs at most so much more for each input is as good: where batching gains nothing, none is waited for. */
const COST_MAX = 1.02;

function asQuick(demand: Demand, batch: number): number {
  const costMsMax = (COST_MAX * demand.latencyMs(batch)) / batch;
  for (let b = 1; b < batch; b++) if (demand.latencyMs(b) / b <= costMsMax) return b;
  return batch;
}
