import { isSuffix, ModelError, type Clock, type Profile } from '../contracts/index.ts';
import { blanksOf } from './blanks.ts';
import type { Device, LoadedModel, Prepared, RunResult } from './device.ts';

export interface ProfileProgress {
  readonly batch: number;
  /** Of how many batch sizes, counted from 1. */
  readonly step: number;
  readonly steps: number;
  readonly meanMs: number;
  readonly repeats: number;
}

export interface ProfileOptions {
  readonly batchMax: number;
  readonly clock: Clock;
  /** What the load took, as the caller measured it; default 0. */
  readonly loadMs?: number;
  /** Time for all batch sizes together, s; default 20. Each size gets at least three runs, however long they take. */
  readonly seconds?: number;
  readonly onProgress?: (progress: ProfileProgress) => void;
}

const REPEATS_MIN = 3;
const REPEATS_MAX = 200;
/** Stop early when the standard error of the mean is below this share of it. */
const STABLE = 0.01;
const WARM_UP_RUNS = 2;
/** A batch that took so many times as long as a larger one was measured while something else kept the device busy. */
const DISTURBED = 1.5;

/** 1, 2, 3, 4, 6, 8, 12, 16, 24, … and `batchMax`: powers of two and what lies halfway. */
export function batchSizes(batchMax: number): number[] {
  const sizes = new Set([1, batchMax]);
  for (let size = 2; size <= batchMax; size *= 2) {
    sizes.add(size);
    if (size * 1.5 <= batchMax) sizes.add(size * 1.5);
  }
  return [...sizes].sort((a, b) => a - b);
}

/** Mean, standard deviation and 99th percentile (nearest rank) of at least one value. */
export function statistics(values: readonly number[]): { mean: number; std: number; p99: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  const sorted = [...values].sort((a, b) => a - b);
  return { mean, std: Math.sqrt(variance), p99: sorted[Math.ceil(0.99 * sorted.length) - 1]! };
}

const isStable = (values: readonly number[]): boolean => {
  const { mean, std } = statistics(values);
  return values.length >= 2 * REPEATS_MIN && std / Math.sqrt(values.length) <= STABLE * mean;
};

/**
 * Measures what a model costs on a device: for growing batches warm-up runs, then repeats until the mean is stable or the
 * time is up. Whatever else the device does meanwhile falsifies the measurement: sizes that a larger one outdoes by far are measured once more.
 * @throws ModelError when a run fails
 */
export async function measureProfile(device: Device, model: LoadedModel, options: ProfileOptions): Promise<Profile> {
  const { batchMax, clock, loadMs = 0, seconds = 20 } = options;
  const sizes = batchSizes(batchMax);
  const points: Profile['points'] = [];
  const runOnce = async (inputs: readonly Prepared[]): Promise<RunResult> => {
    const result = await model.run(inputs);
    const failed = result.outputs.find(output => output instanceof Error);
    if (failed) throw new ModelError(model.id, `a blank input gave no answer: ${failed.message}`, { cause: failed });
    return result;
  };

  const measure = async (batch: number): Promise<Profile['points'][number]> => {
    const inputs = await blanksOf(model, batch);
    const untilMs = clock.nowMs() + (seconds * 1000) / sizes.length;
    for (let i = 0; i < WARM_UP_RUNS; i++) await runOnce(inputs);
    const times: number[] = [];
    while (times.length < REPEATS_MIN || (times.length < REPEATS_MAX && !isStable(times) && clock.nowMs() < untilMs))
      times.push((await runOnce(inputs)).runMs);
    const { mean, std, p99 } = statistics(times);
    options.onProgress?.({
      batch,
      step: sizes.indexOf(batch) + 1,
      steps: sizes.length,
      meanMs: mean,
      repeats: times.length,
    });
    const ephemeralBytes = model.ephemeralBytes(batch);
    return { batch, meanMs: mean, stdMs: std, p99Ms: p99, ephemeralBytes, repeats: times.length };
  };

  for (const batch of sizes) points.push(await measure(batch));
  for (const [index, { batch, meanMs }] of points.entries()) {
    const isDisturbed = points.slice(index + 1).some(larger => meanMs > DISTURBED * larger.meanMs);
    if (isDisturbed) points[index] = await measure(batch);
  }

  return {
    v: 1,
    model: model.id,
    device: device.report.kind,
    emulated: device.report.emulated,
    points,
    persistentBytes: model.persistentBytes,
    loadMs,
    ...(await measureAround(model, clock)),
    measuredAt: new Date(clock.unixMs()).toISOString(),
  };
}

/** Medians of what one input costs before and after its run. A suffix's is prepared before its prefix, which counts it. */
async function measureAround(model: LoadedModel, clock: Clock): Promise<{ preMs: number; postMs: number }> {
  const pre: number[] = [];
  const post: number[] = [];
  for (let i = 0; i < 7; i++) {
    const startMs = clock.nowMs();
    const input = await model.blank();
    const readyMs = clock.nowMs();
    const { runMs, prefixMs = 0 } = await model.run([input]);
    pre.push(isSuffix(model.id) ? 0 : readyMs - startMs);
    post.push(Math.max(0, clock.nowMs() - readyMs - prefixMs - runMs));
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
  return { preMs: median(pre), postMs: median(post) };
}
