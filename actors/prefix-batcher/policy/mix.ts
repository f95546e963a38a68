import type { Curve } from './curve.ts';

/**
 * A prefix group on one kind of device: ℓ(b₁…b_k) = ℓ_prefix(Σbᵢ) + Σ ℓ_suffix,i(bᵢ). All curves reach to the prefix's batchMax;
 * a member that the host is not to hold has none.
 */
export interface Mix {
  readonly prefix: Curve;
  /** By the member's index. */
  readonly suffixes: readonly (Curve | undefined)[];
}

/** A batch of so many of each member, before what the host really takes is known. */
export function costOf(mix: Mix, counts: ArrayLike<number>): { meanMs: number; tailMs: number } {
  let size = 0;
  let meanMs = 0;
  let tailMs = 0;
  for (let member = 0; member < counts.length; member++) {
    const count = counts[member]!;
    if (count === 0) continue;
    const curve = mix.suffixes[member]!;
    size += count;
    meanMs += curve.meanMs[count]!;
    tailMs += curve.tailMs[count]!;
  }
  return { meanMs: meanMs + mix.prefix.meanMs[size]!, tailMs: tailMs + mix.prefix.tailMs[size]! };
}

/**
 * What a batch of each size costs on average when each input is of member i with probability `shares[i]` (≥ 0, of any sum; members
 * without a curve count as absent): member i is in it with qᵢ = 1 − (1−pᵢ)^b, and then with pᵢb/qᵢ inputs. Exact for straight curves.
 */
export function usualCurve({ prefix, suffixes }: Mix, shares: readonly number[]): Curve {
  const { batchMax } = prefix;
  const total = suffixes.reduce((sum, curve, i) => sum + (curve ? shares[i]! : 0), 0);
  const meanMs = Float64Array.from(prefix.meanMs);
  const tailMs = Float64Array.from(prefix.tailMs);
  const present = suffixes.filter(curve => curve !== undefined).length;
  suffixes.forEach((curve, i) => {
    if (!curve) return;
    const share = total > 0 ? shares[i]! / total : 1 / present;
    if (share === 0) return;
    for (let b = 1; b <= batchMax; b++) {
      const chance = 1 - (1 - share) ** b;
      const count = (share * b) / chance;
      meanMs[b]! += chance * between(curve.meanMs, count);
      tailMs[b]! += chance * between(curve.tailMs, count);
    }
  });
  return { batchMax, meanMs, tailMs };
}

/**
 * No batch of b costs less: its suffixes take at least what the cheapest one takes for one input, and for each input at least what
 * any of them takes at its best batch.
 */
export function leastCurve({ prefix, suffixes }: Mix): Curve {
  const { batchMax } = prefix;
  const leastOf = (tables: readonly Float64Array[]) => {
    const each = tables.flatMap(table => Array.from(table.subarray(1), (ms, i) => ms / (i + 1)));
    const [alone, perInput] = [Math.min(...tables.map(table => table[1]!)), Math.min(...each)];
    return (own: number, b: number): number => (b === 0 ? 0 : own + Math.max(alone, b * perInput));
  };
  const curves = suffixes.filter(curve => curve !== undefined);
  return {
    batchMax,
    meanMs: prefix.meanMs.map(leastOf(curves.map(curve => curve.meanMs))),
    tailMs: prefix.tailMs,
  };
}

/** Usual curves, each reckoned once. */
export class UsualCurves {
  readonly #known = new Map<Mix, Map<string, Curve>>();

  of(mix: Mix, shares: readonly number[]): Curve {
    const ofMix = this.#known.get(mix) ?? new Map<string, Curve>();
    this.#known.set(mix, ofMix);
    const key = shares.join(' ');
    const curve = ofMix.get(key) ?? usualCurve(mix, shares);
    ofMix.set(key, curve);
    return curve;
  }
}

/** The table at an index ≥ 1 that need not be whole. */
function between(table: Float64Array, at: number): number {
  const low = Math.min(Math.floor(at), table.length - 1);
  const high = Math.min(low + 1, table.length - 1);
  return table[low]! + (table[high]! - table[low]!) * (at - low);
}
