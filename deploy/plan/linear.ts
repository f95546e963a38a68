import type { Profile } from '../../contracts/index.ts';
import type { InlineCurve } from './schema.ts';

const MB = 1e6;

/** ℓ(b) = α·b + β as a profile: a curve is linear between two points, so the first and the last are all of it. */
export function linearProfile(curve: InlineCurve, stdMs = 0, loadMs = 0): Profile {
  const batches = curve.batchMax === 1 ? [1] : [1, curve.batchMax];
  return {
    v: 1,
    model: curve.model,
    device: curve.device,
    emulated: true,
    points: batches.map(batch => {
      const meanMs = curve.alphaMs * batch + curve.betaMs;
      const ephemeralBytes = Math.ceil((curve.ephemeralMBPerItem ?? 0) * MB * batch);
      return { batch, meanMs, stdMs, p99Ms: meanMs + 2.33 * stdMs, ephemeralBytes, repeats: 0 };
    }),
    persistentBytes: Math.ceil((curve.persistentMB ?? 0) * MB),
    loadMs,
    preMs: curve.preMs ?? 0,
    postMs: curve.postMs ?? 0,
  };
}
