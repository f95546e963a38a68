import { ProfileMissingError, type Profile } from '../contracts/index.ts';

/**
 * Latency and memory of one model on one kind of device, for every batch between the smallest and largest measured
 * one.
 */
export interface Curve {
  readonly model: string;
  readonly kind: string;
  readonly batchMin: number;
  readonly batchMax: number;
  /** ℓ(b), ms on the device: mean + standard deviation, never falling. @throws RangeError outside what was measured */
  latencyMs(batch: number): number;
  /** E(b). @throws RangeError outside what was measured */
  ephemeralBytes(batch: number): number;
  /** P */
  readonly persistentBytes: number;
  /** Decoding, preprocessing and postprocessing of one input. */
  readonly aroundMs: number;
  /** What a reader of the plan should know about the measurements. */
  readonly note: string | undefined;
}

/**
 * A profile as a curve: linear between measured batches, refused outside of them. Where a larger batch was measured
 * faster than a smaller one, the smaller one's latency is taken for both (the least non-falling curve above the
 * measurements), and the note says so. `batchMax` cuts the range, e.g. to what the model's document allows.
 */
export function curveOf(profile: Profile, options: { readonly batchMax?: number } = {}): Curve {
  const points = profile.points.toSorted((a, b) => a.batch - b.batch);
  const batchMin = points[0]!.batch;
  const batchMax = Math.max(batchMin, Math.min(points.at(-1)!.batch, options.batchMax ?? Number.POSITIVE_INFINITY));
  const latency = hull(points.map(p => ({ batch: p.batch, value: p.meanMs + p.stdMs })));
  const ephemeral = hull(points.map(p => ({ batch: p.batch, value: p.ephemeralBytes })));
  const at = (table: Float64Array, batch: number): number => {
    if (!Number.isInteger(batch) || batch < batchMin || batch > batchMax) {
      throw new RangeError(
        `${profile.model} on ${profile.device} was measured for batches ${batchMin} to ${batchMax}, not ${batch}`,
      );
    }
    return table[batch - batchMin]!;
  };
  return {
    model: profile.model,
    kind: profile.device,
    batchMin,
    batchMax,
    latencyMs: batch => at(latency.table, batch),
    ephemeralBytes: batch => Math.ceil(at(ephemeral.table, batch)),
    persistentBytes: profile.persistentBytes,
    aroundMs: profile.preMs + profile.postMs,
    note:
      latency.raised.length === 0
        ? undefined
        : `${profile.model} on ${profile.device}: batches ${latency.raised.join(', ')} were measured faster than ` +
          'a smaller one; the slower figure is planned with',
  };
}

/**
 * Values for each integer batch from the first point to the last, non-falling; `raised` are the points that were
 * lifted.
 */
function hull(points: readonly { readonly batch: number; readonly value: number }[]): {
  table: Float64Array;
  raised: number[];
} {
  const first = points[0]!;
  const table = new Float64Array(points.at(-1)!.batch - first.batch + 1);
  const raised: number[] = [];
  let left = { batch: first.batch, value: first.value };
  table[0] = left.value;
  for (const point of points.slice(1)) {
    if (point.value < left.value) raised.push(point.batch);
    const right = { batch: point.batch, value: Math.max(point.value, left.value) };
    for (let b = left.batch + 1; b <= right.batch; b++) {
      const share = (b - left.batch) / (right.batch - left.batch);
      table[b - first.batch] = left.value + share * (right.value - left.value);
    }
    left = right;
  }
  return { table, raised };
}

/**
 * The largest batch of the curve that fits; `fits` must not become true again once it was false. Undefined: not even
 * the smallest.
 */
export function largestBatch(curve: Curve, fits: (batch: number) => boolean): number | undefined {
  if (!fits(curve.batchMin)) return undefined;
  let [low, high] = [curve.batchMin, curve.batchMax];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Curves by model and kind of device. */
export interface Curves {
  find(model: string, kind: string): Curve | undefined;
  /** @throws ProfileMissingError */
  get(model: string, kind: string): Curve;
}

export function curvesOf(profiles: readonly Profile[], batchMax: (model: string) => number | undefined): Curves {
  // By kind, then model: a key joined of both would have to be built and hashed for each look-up.
  const all = new Map<string, Map<string, Curve>>();
  for (const profile of profiles) {
    const limit = batchMax(profile.model);
    const ofKind = all.get(profile.device) ?? new Map<string, Curve>();
    all.set(profile.device, ofKind);
    ofKind.set(profile.model, curveOf(profile, limit === undefined ? {} : { batchMax: limit }));
  }
  const find = (model: string, kind: string): Curve | undefined => all.get(kind)?.get(model);
  return {
    find,
    get: (model, kind) => {
      const curve = find(model, kind);
      if (!curve) throw new ProfileMissingError(model, kind);
      return curve;
    },
  };
}
