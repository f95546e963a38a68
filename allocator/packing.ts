import { largestBatch, type Curve } from './curve.ts';

/** What must be served on one kind of device. */
export interface Load {
  /** Unique. */
  readonly name: string;
  readonly rateHz: number;
  /**
   * L, ms from arrival to the end of the run: the objective less all that isn't waiting for or running on the device.
   */
  readonly deviceMs: number;
  readonly curve: Curve;
}

/** A part of a load on a node. */
export interface Share {
  readonly load: Load;
  readonly rateHz: number;
  /** Inputs a cycle. */
  readonly batch: number;
}

/** One device: its shares run one after the other, once every `dutyMs`. */
export interface Node {
  readonly kind: 'whole' | 'residual' | 'tight';
  readonly dutyMs: number;
  readonly shares: readonly Share[];
}

/** Rounding errors of rates and latencies must not cost a batch or a GPU. */
const EPSILON = 1e-9;
const RATE_LEAST_HZ = 1e-6;

/** B: the largest batch with 2ℓ(B) ≤ L that fits into memory alone, or undefined. (Nexus, SOSP'19, algorithm 1) */
export function saturatingBatch(load: Load, memoryBytes: number): number | undefined {
  const { curve, deviceMs } = load;
  return largestBatch(
    curve,
    b => 2 * curve.latencyMs(b) <= deviceMs + EPSILON && curve.persistentBytes + curve.ephemeralBytes(b) <= memoryBytes,
  );
}

/**
 * The batch and duty cycle of a rate that doesn't fill a device: the largest b with ℓ(b) + b/r ≤ L, d = b/r. A rate
 * so low that not even the smallest batch fills in time runs the smallest one every d = L − ℓ(b).
 */
export function residualCycle(load: Load, rateHz: number, batchMax: number): { batch: number; dutyMs: number } {
  const { curve, deviceMs } = load;
  const fillMs = (b: number): number => (b * 1000) / rateHz;
  const batch = largestBatch(
    curve,
    b => b <= batchMax && curve.latencyMs(b) + fillMs(b) <= deviceMs + EPSILON * deviceMs,
  );
  if (batch !== undefined) return { batch, dutyMs: fillMs(batch) };
  return { batch: curve.batchMin, dutyMs: deviceMs - curve.latencyMs(curve.batchMin) };
}

/** Time that a cycle of the node is busy, ms. */
const busyMs = (node: Node): number =>
  node.shares.reduce((sum, share) => sum + share.load.curve.latencyMs(share.batch), 0);

/** Share of the device's time that is planned, 1 = full. */
export const occupancy = (node: Node): number => (node.kind === 'residual' ? busyMs(node) / node.dutyMs : 1);

/** ΣP over the models + the largest E: the shares of a node run one after the other, in one lane. */
export function memoryOf(shares: readonly Share[]): number {
  const persistent = new Map(shares.map(share => [share.load.curve.model, share.load.curve.persistentBytes]));
  const ephemeral = shares.reduce((most, s) => Math.max(most, s.load.curve.ephemeralBytes(s.batch)), 0);
  return [...persistent.values()].reduce((sum, bytes) => sum + bytes, ephemeral);
}

/**
 * Both on one device: d' = min d, b' = ⌈d'·r⌉; undefined where that needs larger batches, more time or more memory
 * than there is.
 */
export function merged(a: Node, b: Node, memoryBytes: number): Node | undefined {
  const dutyMs = Math.min(a.dutyMs, b.dutyMs);
  const shares: Share[] = [];
  let busy = 0;
  for (const share of [...a.shares, ...b.shares]) {
    const { curve } = share.load;
    const batch = Math.max(curve.batchMin, Math.ceil((dutyMs * share.rateHz) / 1000 - EPSILON));
    if (batch > share.batch) return undefined;
    busy += curve.latencyMs(batch);
    if (busy > dutyMs * (1 + EPSILON)) return undefined;
    shares.push({ ...share, batch });
  }
  return memoryOf(shares) <= memoryBytes ? { kind: 'residual', dutyMs, shares } : undefined;
}

/**
 * A load that holds its objective only on a device that does nothing else: ℓ(1) ≤ L < 2ℓ(1). Exported for the split
 * of queries.
 */
export const isTight = (load: Load): boolean => {
  const leastMs = load.curve.latencyMs(load.curve.batchMin);
  return leastMs <= load.deviceMs + EPSILON && 2 * leastMs > load.deviceMs + EPSILON;
};

/**
 * Squishy bin packing of Nexus (SOSP'19, section 6.1, algorithm 1; exact rules in the paper's terms): saturate,
 * residuals, merge by decreasing occupancy into the node that becomes fullest. Loads for which not even the smallest
 * batch fits (time or memory) are left out: callers test them first with {@link canServe}. The same loads in any
 * order give the same nodes.
 */
export function pack(loads: readonly Load[], memoryBytes: number): Node[] {
  const full: Node[] = [];
  const residuals: Node[] = [];
  for (const load of loads.toSorted((a, b) => compareText(a.name, b.name))) {
    const { whole, rest } = saturate(load, memoryBytes);
    full.push(...whole);
    if (rest) residuals.push(rest);
  }
  const open: Node[] = [];
  for (const residual of residuals.toSorted((a, b) => occupancy(b) - occupancy(a))) {
    let best: { index: number; node: Node } | undefined;
    for (const [index, node] of open.entries()) {
      const both = merged(node, residual, memoryBytes);
      if (both && (!best || occupancy(both) > occupancy(best.node) + EPSILON)) best = { index, node: both };
    }
    if (best) open[best.index] = best.node;
    else open.push(residual);
  }
  return [...full, ...open];
}

/** Whether a device of this size could serve the load at all, alone. */
export const canServe = (load: Load, memoryBytes: number): boolean => {
  const { curve } = load;
  return (
    curve.latencyMs(curve.batchMin) <= load.deviceMs + EPSILON &&
    curve.persistentBytes + curve.ephemeralBytes(curve.batchMin) <= memoryBytes
  );
};

/** Whole devices for ⌊r/T⌋, T = B/ℓ(B), and what is left as a node of its own. */
function saturate(load: Load, memoryBytes: number): { whole: Node[]; rest: Node | undefined } {
  if (!canServe(load, memoryBytes)) return { whole: [], rest: undefined };
  const batch = saturatingBatch(load, memoryBytes);
  if (batch === undefined) return { whole: dedicated(load), rest: undefined };
  const dutyMs = load.curve.latencyMs(batch);
  const throughputHz = (batch * 1000) / dutyMs;
  const count = Math.floor(load.rateHz / throughputHz + EPSILON);
  const restHz = Math.max(0, load.rateHz - count * throughputHz);
  const whole = Array.from({ length: count }, (): Node => {
    return { kind: 'whole', dutyMs, shares: [{ load, rateHz: throughputHz, batch }] };
  });
  if (count > 0 && restHz < RATE_LEAST_HZ) return { whole, rest: undefined };
  const rateHz = Math.max(restHz, RATE_LEAST_HZ);
  const cycle = residualCycle(load, rateHz, batch);
  // Just below a whole device B fills a little too slowly, and the next smaller batch can have less throughput than
  // the rate: then B runs on a whole device, slightly underused.
  if (load.curve.latencyMs(cycle.batch) > cycle.dutyMs * (1 + EPSILON)) {
    return { whole: [...whole, { kind: 'whole', dutyMs, shares: [{ load, rateHz, batch }] }], rest: undefined };
  }
  return {
    whole,
    rest: { kind: 'residual', dutyMs: cycle.dutyMs, shares: [{ load, rateHz, batch: cycle.batch }] },
  };
}

function dedicated(load: Load): Node[] {
  const batch = load.curve.batchMin;
  const dutyMs = load.curve.latencyMs(batch);
  const count = Math.max(1, Math.ceil((load.rateHz * dutyMs) / 1000 / batch - EPSILON));
  return Array.from({ length: count }, () => {
    return { kind: 'tight', dutyMs, shares: [{ load, rateHz: load.rateHz / count, batch }] };
  });
}

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
