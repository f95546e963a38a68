import { curveOf, type PolicyFactory } from '../../actors/prefix-batcher/policy/index.ts';
import { Simulation, type SimOptions as Options } from '../../bench/lib/simulate.ts';

export interface SimModel {
  readonly name: string;
  /** ℓ(b) = α·b + β, ms. */
  readonly alphaMs: number;
  readonly betaMs: number;
  readonly batchMax: number;
  readonly objectiveMs: number;
  readonly rateHz: number;
  readonly prefer: 'latency' | 'consolidation';
}

export interface SimOptions extends Omit<Options, 'policy' | 'pools' | 'sessions'> {
  readonly policy: PolicyFactory;
  readonly models: readonly SimModel[];
  readonly hosts: number;
  readonly ms: number;
}

export interface SimReport {
  readonly goodShare: number;
  readonly worstModelGoodShare: number;
  readonly meanBatch: number;
  readonly p50Ms: number;
  /** Hosts that were busy more than 1 % of the time. */
  readonly hostsUsed: number;
}

/** One pool whose models have linear curves and a session each. */
export function simulate({ models, hosts, ms, ...rest }: SimOptions): SimReport {
  const groups = models.map(({ name, alphaMs, betaMs, batchMax }) => {
    const points = [1, batchMax].map(batch => {
      const meanMs = alphaMs * batch + betaMs;
      return { batch, meanMs, stdMs: meanMs * (rest.jitter ?? 0), p99Ms: meanMs, ephemeralBytes: 0, repeats: 1 };
    });
    return { name, curve: curveOf({ points }, batchMax) };
  });
  const sessions = models.map((model, group) => ({ ...model, routes: [{ pool: 0, group, share: 1 }] }));
  const run = new Simulation({ ...rest, pools: [{ hosts, groups }], sessions });
  run.runUntil(ms);
  const latencies = run.latenciesMs.sort((a, b) => a - b);
  const sum = (of: (one: { good: number; bad: number }) => number): number =>
    run.counts.reduce((total, one) => total + of(one), 0);
  return {
    goodShare: sum(one => one.good) / sum(one => one.good + one.bad),
    worstModelGoodShare: Math.min(...run.counts.map(({ good, bad }) => good / Math.max(1, good + bad))),
    meanBatch: run.batched / Math.max(1, run.batches),
    p50Ms: latencies[latencies.length >> 1] ?? 0,
    hostsUsed: run.hostsBusier(0.01),
  };
}
