import { costOf, curveOf, hybrid, usualCurve, type Curve } from '../../actors/prefix-batcher/policy/index.ts';
import { Simulation, type SimGroup, type SimSession } from '../lib/simulate.ts';

/** ℓ(b) = αb + β of a model, its trunk and its head; memory in MB. Heads take 1 % of the work, and of the weights. */
const TRUNK = { alphaMs: 0.64, betaMs: 8, persistentMB: 97 };
const HEAD = { alphaMs: 0.006, betaMs: 0.08, persistentMB: 1 };
const WHOLE = { alphaMs: 0.646, betaMs: 8.08, persistentMB: 98 };
const BATCH_MAX = 64;
const OBJECTIVE_MS = 100;
const GOOD = 0.99;
const SIMULATED_MS = 60_000;
const RATE_STEP = 0.005;

const straight = ({ alphaMs, betaMs }: { alphaMs: number; betaMs: number }): Curve =>
  curveOf(
    {
      points: [1, BATCH_MAX].map(batch => {
        const meanMs = alphaMs * batch + betaMs;
        return { batch, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: 0, repeats: 1 };
      }),
    },
    BATCH_MAX,
  );

const [trunk, head, whole] = [straight(TRUNK), straight(HEAD), straight(WHOLE)];

/** Variants of a model on one emulated device, equally often asked. */
export interface Emulated {
  /** Highest total rate at which 99 % are back within the objective. */
  readonly rateHz: number;
  readonly meanBatch: number;
  readonly persistentMB: number;
}

export function emulated(variants: number, grouped: boolean): Emulated {
  const names = Array.from({ length: variants }, (_, i) => `v${i}`);
  const groups = grouped ? [mixed(names)] : names.map((name): SimGroup => ({ name, curve: whole }));
  const run = (rateHz: number): Simulation => {
    const sessions = names.map(
      (name, i): SimSession => ({
        name,
        objectiveMs: OBJECTIVE_MS,
        rateHz: rateHz / variants,
        prefer: 'latency',
        routes: [{ pool: 0, group: grouped ? 0 : i, share: 1 }],
      }),
    );
    const simulation = new Simulation({ policy: hybrid, pools: [{ hosts: 1, groups }], sessions, seed: 1 });
    simulation.runUntil(SIMULATED_MS);
    return simulation;
  };
  const serves = (rateHz: number): boolean => {
    const { counts } = run(rateHz);
    const good = counts.reduce((sum, count) => sum + count.good, 0);
    const all = counts.reduce((sum, count) => sum + count.good + count.bad, 0);
    return good >= GOOD * all;
  };
  let [low, high] = [1, 1000 / TRUNK.alphaMs];
  while (high - low > RATE_STEP * low) {
    const middle = (low + high) / 2;
    if (serves(middle)) low = middle;
    else high = middle;
  }
  const { batched, batches } = run(low);
  const heads = variants * HEAD.persistentMB;
  return {
    rateHz: low,
    meanBatch: batched / batches,
    persistentMB: grouped ? TRUNK.persistentMB + heads : variants * WHOLE.persistentMB,
  };
}

function mixed(names: readonly string[]): SimGroup {
  const mix = { prefix: trunk, suffixes: names.map(() => head) };
  const curve = usualCurve(
    mix,
    names.map(() => 1),
  );
  const runMs = (counts: ReadonlyMap<string, number>): number =>
    costOf(
      mix,
      names.map(name => counts.get(name) ?? 0),
    ).meanMs;
  return { name: 'group', curve, runMs };
}
