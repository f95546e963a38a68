import { hostsOf, type Packer, type PlannedPool } from './pack.ts';
import { squishy } from './squishy.ts';
import type { DeviceClass } from './supply.ts';
import type { Work } from './unit.ts';

/** As much as a rate may wobble without that anything moves. */
export const WOBBLE = 0.012;

/** Packing takes time with the square of the number of works: beyond so many it isn't done twice. */
const ROOM_WORKS_MAX = 1024;

const grown = <T extends Work>(works: readonly T[]): T[] =>
  works.map(work => ({ ...work, rateHz: work.rateHz / (1 - WOBBLE) }));

const shrunk = (pool: PlannedPool): PlannedPool => ({
  ...pool,
  parts: pool.parts.map(part => ({ ...part, rateHz: part.rateHz * (1 - WOBBLE) })),
});

/** These on devices of their own, each with room for rates that are {@link WOBBLE} higher. */
export const withRoom = (works: readonly Work[], pack: (works: readonly Work[]) => PlannedPool[]): PlannedPool[] =>
  pack(grown(works)).map(shrunk);

/** `full`, packed by squishy bin packing, or the same works with room on each device, if that takes no more of them. */
export function roomier(works: readonly Work[], from: DeviceClass, full: PlannedPool[]): PlannedPool[] {
  if (works.length > ROOM_WORKS_MAX) return full;
  const room = withRoom(works, all => squishy.pack(all, from));
  return hostsOf(room) <= hostsOf(full) ? room : full;
}

/** Squishy bin packing that leaves room for wobbling rates on each device, wherever that costs no device more (up to 1,024 works). */
export const roomy: Packer = {
  least: (works, from) => squishy.least(works, from),
  pack: (works, from) => roomier(works, from, squishy.pack(works, from)),
};
