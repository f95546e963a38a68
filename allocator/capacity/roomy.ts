import { hostsOf, type Packer, type PlannedPool } from './pack.ts';
import { squishy } from './squishy.ts';
import type { Work } from './unit.ts';

/** As much as a rate may wobble without that anything moves. */
export const WOBBLE = 0.012;

const grown = <T extends Work>(works: readonly T[]): T[] =>
  works.map(work => ({ ...work, rateHz: work.rateHz / (1 - WOBBLE) }));

const shrunk = (pool: PlannedPool): PlannedPool => ({
  ...pool,
  parts: pool.parts.map(part => ({ ...part, rateHz: part.rateHz * (1 - WOBBLE) })),
});

/** These on devices of their own, each with room for rates that are {@link WOBBLE} higher. */
export const withRoom = (works: readonly Work[], pack: (works: readonly Work[]) => PlannedPool[]): PlannedPool[] =>
  pack(grown(works)).map(shrunk);

/** Squishy bin packing that leaves room for wobbling rates on each device, wherever that costs no device more. */
export const roomy: Packer = {
  least: (works, from) => squishy.least(works, from),
  pack: (works, from) => {
    const full = squishy.pack(works, from);
    const room = withRoom(works, all => squishy.pack(all, from));
    return hostsOf(room) <= hostsOf(full) ? room : full;
  },
};
