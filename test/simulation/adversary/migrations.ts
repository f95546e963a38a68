import type { Outcome } from './run.ts';
import { FIRST_FAULT_MS, type Fault, type Scenario } from './scenario.ts';

const PERIOD_MS = 6000;

const size = { hosts: 3, routers: 2, batchers: 2, allocators: 2, samplers: 0, extras: [], streams: 2, rateHz: 2 };
const calm = (seed: number, healAtMs: number, faults: readonly Fault[]): Scenario => {
  return { seed, kind: 'moves', ...size, memoryMB: 4000, skew: 0.01, healAtMs, faults };
};

/** Three hosts, of which one leaves and comes back every six seconds, while frames flow. */
export function migrations(seed: number, count: number): Scenario {
  const faults = Array.from({ length: count }, (_, i): Fault => {
    return {
      is: 'revoke',
      who: `gpu-${(i % 3) + 1}`,
      noticeMs: 60_000,
      atMs: FIRST_FAULT_MS + i * PERIOD_MS,
      forMs: 4000,
    };
  });
  return calm(seed, FIRST_FAULT_MS + count * PERIOD_MS, faults);
}

const DEATH_PERIOD_MS = 12_000;

/** Whoever leads dies, and is back after five seconds, when the other one leads. */
export function failovers(seed: number, count: number): Scenario {
  const faults = Array.from({ length: count }, (_, i): Fault => {
    // Not in step with the renewals of the lease.
    const atMs = FIRST_FAULT_MS + i * DEATH_PERIOD_MS + 137 * i;
    return { is: 'crash', who: `allocator-${(i % 2) + 1}`, atMs, forMs: 5000 };
  });
  return calm(seed, FIRST_FAULT_MS + count * (DEATH_PERIOD_MS + 137), faults);
}

/** From each death until the next leader's plan is in force, ms, the shortest first. */
export const failoverTimes = ({ scenario, watch }: Outcome): number[] =>
  scenario.faults
    .map(
      ({ atMs }) => watch.beats.phases.find(({ phase, atMs: at }) => phase === 'committing' && at > atMs)!.atMs - atMs,
    )
    .toSorted((a, b) => a - b);

/** How long each phase of a change of epoch took, ms, the shortest first. */
export function stepsOf({ watch }: Outcome): Map<string, number[]> {
  const { phases } = watch.beats;
  const steps = new Map<string, number[]>();
  for (const [i, { phase, atMs }] of phases.entries()) {
    const next = phases[i + 1];
    if (phase === 'observing' || !next || atMs < FIRST_FAULT_MS) continue;
    steps.set(phase, [...(steps.get(phase) ?? []), next.atMs - atMs]);
  }
  for (const took of steps.values()) took.sort((a, b) => a - b);
  return steps;
}

const p99 = (sorted: readonly number[]): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))] ?? 0;

/** Latencies of requests that were on their way while the leader prepared, committed or drained, and of the others. */
export function latenciesOf({ watch }: Outcome): { count: number; p99Ms: number }[] {
  const { phases } = watch.beats;
  const moving = (fromMs: number, toMs: number): boolean =>
    phases.some(
      ({ phase, atMs }, i) => phase !== 'observing' && atMs <= toMs && (phases[i + 1]?.atMs ?? Infinity) >= fromMs,
    );
  const settled = watch.requests.results.filter(({ atMs }) => atMs > FIRST_FAULT_MS);
  return [true, false].map(during => {
    const latencies = settled
      .filter(({ atMs, result }) => moving(atMs - result.latencyMs, atMs) === during)
      .map(({ result }) => result.latencyMs)
      .toSorted((a, b) => a - b);
    return { count: latencies.length, p99Ms: p99(latencies) };
  });
}
