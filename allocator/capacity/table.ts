import type { Curve } from '../curve.ts';

/** A curve unrolled, for the many look-ups of sizing. Index 0 is `batchMin`. */
export interface Table {
  readonly batchMin: number;
  readonly latencyMs: Float64Array;
  /** For each largest batch allowed the batch with the least time an input: not always the largest, on odd curves. */
  readonly best: Int32Array;
}

const tables = new WeakMap<Curve, Table>();

export function tableOf(curve: Curve): Table {
  const known = tables.get(curve);
  if (known) return known;
  const size = curve.batchMax - curve.batchMin + 1;
  const latencyMs = Float64Array.from({ length: size }, (_, i) => curve.latencyMs(curve.batchMin + i));
  const best = new Int32Array(size);
  let least = Number.POSITIVE_INFINITY;
  let at = 0;
  for (let i = 0; i < size; i++) {
    const each = latencyMs[i]! / (curve.batchMin + i);
    if (each <= least) {
      least = each;
      at = i;
    }
    best[i] = curve.batchMin + at;
  }
  const table = { batchMin: curve.batchMin, latencyMs, best };
  tables.set(curve, table);
  return table;
}

/** Time an input with the best batch up to `batch`, ms. */
export function leastEachMs(table: Table, batch: number): number {
  const best = table.best[batch - table.batchMin]!;
  return table.latencyMs[best - table.batchMin]! / best;
}
