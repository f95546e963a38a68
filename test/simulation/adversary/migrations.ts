import type { Outcome } from './run.ts';
import { FIRST_FAULT_MS, type Fault, type Scenario } from './scenario.ts';

const PERIOD_MS = 6000;

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
  const size = { hosts: 3, routers: 2, batchers: 2, allocators: 2, samplers: 0, extras: [], streams: 2, rateHz: 2 };
  const healAtMs = FIRST_FAULT_MS + count * PERIOD_MS;
  return { seed, kind: 'moves', ...size, memoryMB: 4000, skew: 0.01, healAtMs, faults };
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
