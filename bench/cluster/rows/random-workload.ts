import { lowerBound, type Workload } from '../../../allocator/capacity/index.ts';
import { curvesOf } from '../../../allocator/index.ts';
import { exponential, intBetween, seededRandom } from '../../../contracts/index.ts';
import { CURVES, modelLike, type CurveName } from '../curves.ts';
import type { Setting } from '../lab.ts';

export const SESSIONS = [10, 40] as const;
export const OBJECTIVES_MS = [50, 500] as const;
export const GPUS = 10;
/** Times the rates, for which GPUs are given out: more than any number of them that is tried can do, so that none is left idle. */
export const PLANNED = 3;
const CHOICE: readonly CurveName[] = ['resnet50', 'ssd', 'googlenet-car', 'vgg-face', 'efficientnet-b0'];
/** It should not be memory that counts here. */
const MEMORY_MB = 1e6;
/** Shorter than elsewhere: bad frames are counted by session, and what is compared differs by several percent. */
const LASTS = { objectives: 16, warmup: 5 };
/** Workload i is drawn from seed {@link FIRST_SEED} + i: none is chosen. */
const FIRST_SEED = 1000;

/** Sessions with a model each, objectives evenly spread on a logarithmic scale, rates exponential; about ten GPUs by 2ℓ(b) ≤ L. */
export function randomSetting(i: number): { setting: Setting; boundGpus: number } {
  const random = seededRandom(FIRST_SEED + i);
  const [least, most] = OBJECTIVES_MS;
  const sessions = Array.from({ length: intBetween(random, ...SESSIONS) }, (_, i) => ({
    name: `s${i + 1}`,
    curve: CHOICE[intBetween(random, 0, CHOICE.length - 1)]!,
    objectiveMs: Math.round(least * (most / least) ** random.next()),
    rateHz: exponential(random, 1),
  }));
  let workload = workloadOf(sessions);
  // Rates make batches and batches the bound, so one step of scaling isn't enough.
  for (let step = 0; step < 6; step++) {
    const factor = GPUS / lowerBound(workload).independentGpus;
    for (const session of sessions) session.rateHz *= factor;
    workload = workloadOf(sessions);
  }
  const setting: Setting = {
    name: `random ${i}`,
    lasts: LASTS,
    devices: [{ kind: 'emulated-gpu', count: 1, memoryMB: MEMORY_MB }],
    models: sessions.map(({ name, curve }) => modelLike(curve, name)),
    queries: sessions.map(({ name, objectiveMs, rateHz }) => ({
      name,
      streams: [name],
      objectiveMs,
      rateHz: PLANNED * rateHz,
      stages: { only: { model: name } },
    })),
    streams: sessions.map(({ name, rateHz }) => ({ name, rateHz })),
  };
  return { setting, boundGpus: lowerBound(workload).gpus };
}

interface Drawn {
  readonly name: string;
  readonly curve: CurveName;
  readonly objectiveMs: number;
  readonly rateHz: number;
}

function workloadOf(sessions: readonly Drawn[]): Workload {
  const profiles = sessions.map(({ name, curve }) => {
    const { alphaMs, betaMs, batchMax } = CURVES[curve];
    const points = Array.from({ length: batchMax }, (_, i) => {
      const meanMs = alphaMs * (i + 1) + betaMs;
      return { batch: i + 1, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: 0, repeats: 0 };
    });
    const around = { preMs: 0, postMs: 0, loadMs: 0, persistentBytes: 0 };
    return { v: 1 as const, model: name, device: 'emulated-gpu', emulated: true, points, ...around };
  });
  return {
    devices: [
      { kind: 'emulated-gpu', count: Infinity, memoryBytes: 1e15, pricePerHour: 1, revocable: false, zone: 'one' },
    ],
    sessions: sessions.map(({ name, objectiveMs, rateHz }) => ({
      name,
      model: name,
      tenant: 'default',
      sloMs: objectiveMs,
      rateHz,
      rateVariation: 0,
      priority: 0,
      replicasMin: 1,
      query: undefined,
    })),
    prefixes: [],
    curves: curvesOf(profiles, () => undefined),
  };
}
