import { curveOf, type Curve } from '../../allocator/index.ts';
import type { Profile } from '../../contracts/index.ts';

export interface ProfileFacts {
  readonly device?: string;
  readonly persistentBytes?: number;
  readonly ephemeralBytesPerItem?: number;
}

/** A profile with exactly these latencies, ms by batch. */
export function profileOf(
  model: string,
  latencyMs: Readonly<Record<number, number>>,
  facts: ProfileFacts = {},
): Profile {
  return {
    v: 1,
    model,
    device: facts.device ?? 'k',
    emulated: true,
    points: Object.entries(latencyMs).map(([batch, meanMs]) => {
      const ephemeralBytes = Number(batch) * (facts.ephemeralBytesPerItem ?? 1);
      return { batch: Number(batch), meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes, repeats: 10 };
    }),
    persistentBytes: facts.persistentBytes ?? 100,
    loadMs: 10,
    preMs: 0,
    postMs: 0,
  };
}

export const curve = (model: string, latencyMs: Readonly<Record<number, number>>, facts: ProfileFacts = {}): Curve =>
  curveOf(profileOf(model, latencyMs, facts));

/** ℓ(b) = α·b + β for 1…max. */
export const linear = (alphaMs: number, betaMs: number, max = 32): Record<number, number> =>
  Object.fromEntries(Array.from({ length: max }, (_, i) => [i + 1, alphaMs * (i + 1) + betaMs]));
