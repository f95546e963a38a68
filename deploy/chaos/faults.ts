import { intBetween, seededRandom } from '../../contracts/index.ts';
import type { ChaosDocument } from './schema.ts';

/** One thing that is done to the cluster. Times in ms from the first counted frame. */
export type Fault =
  | { readonly kind: 'kill' | 'drain'; readonly atMs: number; readonly actor: string }
  | { readonly kind: 'freeze'; readonly atMs: number; readonly actor: string; readonly forMs: number }
  | { readonly kind: 'kill-nats'; readonly atMs: number };

/** All faults in their order; the random ones follow from the seed. */
export function faultsOf({ faults, seed = 1 }: ChaosDocument): Fault[] {
  const random = seededRandom(seed);
  return faults
    .flatMap((entry): Fault[] => {
      if (entry.kind === 'kill-nats') return [{ kind: entry.kind, atMs: 1000 * entry.atS }];
      if (entry.kind === 'freeze')
        return [{ kind: 'freeze', atMs: 1000 * entry.atS, actor: entry.actor, forMs: 1000 * entry.forS }];
      if (entry.kind !== 'random') return [{ kind: entry.kind, atMs: 1000 * entry.atS, actor: entry.actor }];
      const { count, fromS, toS, what, actors, forS = 0 } = entry;
      return Array.from({ length: count }, (): Fault => {
        const atMs = Math.round(1000 * (fromS + (toS - fromS) * random.next()));
        const actor = actors[intBetween(random, 0, actors.length - 1)]!;
        const kind = what[intBetween(random, 0, what.length - 1)]!;
        return kind === 'freeze' ? { kind, atMs, actor, forMs: 1000 * forS } : { kind, atMs, actor };
      });
    })
    .toSorted((a, b) => a.atMs - b.atMs);
}

export const nameOf = (fault: Fault): string => {
  if (fault.kind === 'kill-nats') return 'kill nats-server';
  return fault.kind === 'freeze' ? `freeze ${fault.actor} for ${fault.forMs / 1000} s` : `${fault.kind} ${fault.actor}`;
};
