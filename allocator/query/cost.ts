import { largestBatch, type Curve, type Curves } from '../curve.ts';

/**
 * How much waiting the worst case holds: one whole run of another batch on devices that don't know of each other
 * (2ℓ(b) ≤ L), or the n-th part of it in a pool of n staggered ones ((1+1/n)·ℓ(b) ≤ L).
 */
export type BatchRule = 'independent' | 'late-binding';

const EPSILON = 1e-9;

/**
 * Devices, with fractions, that a rate takes within `deviceMs` (L: from arrival at the device's queue to the end of the
 * run). Infinity where not even the smallest batch is in time or in memory. Never rises with `deviceMs` while
 * throughput grows with the batch.
 */
export function devicesFor(curve: Curve, rateHz: number, deviceMs: number, rule: BatchRule, memoryBytes = Infinity) {
  const perMs = rateHz / 1000;
  const fits = (b: number): boolean => curve.persistentBytes + curve.ephemeralBytes(b) <= memoryBytes;
  const least = curve.batchMin;
  const leastMs = curve.latencyMs(least);
  if (leastMs > deviceMs + EPSILON || !fits(least)) return Number.POSITIVE_INFINITY;
  const limitMs = deviceMs + EPSILON;
  const inTime = (b: number): boolean => {
    const ms = curve.latencyMs(b);
    if (!fits(b)) return false;
    if (rule === 'late-binding') {
      const pool = Math.max(1, (perMs * ms) / b);
      return ms * (1 + 1 / pool) <= limitMs && ms + (b - 1) / perMs <= limitMs;
    }
    // Full devices wait a run, partly used ones until the batch is full: whichever is longer.
    return 2 * ms <= limitMs && ms + b / perMs <= limitMs;
  };
  const batch = largestBatch(curve, inTime);
  if (batch !== undefined) return (perMs * curve.latencyMs(batch)) / batch;
  const busy = (perMs * leastMs) / least;
  const spareMs = Math.max(deviceMs - leastMs, EPSILON);
  // Too few arrive to fill the smallest batch: it runs once in a while. Else it takes a pool in which the wait is short
  // enough, or devices of its own, which must not look cheaper than sharing one.
  if (2 * leastMs <= limitMs) return Math.max(busy, leastMs / spareMs);
  return rule === 'late-binding' ? Math.max(busy, leastMs / spareMs) : Math.max(1, busy) + 1;
}

/** A kind of device that can be had. */
export interface PricedKind {
  readonly kind: string;
  readonly pricePerHour: number;
  readonly memoryBytes: number;
}

/**
 * The cheapest kind of device for a stage: price times devices. `networkMs` is charged once, pre- and postprocessing as
 * measured on the kind. Kinds without a profile are passed over. Cost Infinity, and no kind, where none can do it.
 */
export function cheapestKind(
  stage: { readonly model: string; readonly rateHz: number; readonly shareMs: number; readonly networkMs: number },
  kinds: readonly PricedKind[],
  curves: Curves,
  rule: BatchRule,
): { readonly kind: string | undefined; readonly costPerHour: number } {
  let best: { kind: string | undefined; costPerHour: number } = { kind: undefined, costPerHour: Infinity };
  for (const { kind, pricePerHour, memoryBytes } of kinds) {
    const curve = curves.find(stage.model, kind);
    if (!curve) continue;
    const deviceMs = stage.shareMs - stage.networkMs - curve.aroundMs;
    const costPerHour = pricePerHour * devicesFor(curve, stage.rateHz, deviceMs, rule, memoryBytes);
    if (costPerHour < best.costPerHour) best = { kind, costPerHour };
  }
  return best;
}

/** The least share with which a stage can be served at all, ms; Infinity where no kind has a profile or the memory. */
export function leastShareMs(
  stage: { readonly model: string; readonly networkMs: number },
  kinds: readonly PricedKind[],
  curves: Curves,
  rule: BatchRule,
): number {
  return kinds.reduce((least, { kind, memoryBytes }) => {
    const curve = curves.find(stage.model, kind);
    if (!curve || curve.persistentBytes + curve.ephemeralBytes(curve.batchMin) > memoryBytes) return least;
    const ms = curve.latencyMs(curve.batchMin) * (rule === 'independent' ? 2 : 1) + curve.aroundMs + stage.networkMs;
    return Math.min(least, ms);
  }, Number.POSITIVE_INFINITY);
}
