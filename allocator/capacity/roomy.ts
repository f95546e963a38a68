import { hostsOf, type Packer, type PlannedPool } from './pack.ts';
import { squishy } from './squishy.ts';
import type { Headroom } from './stagger.ts';
import type { DeviceClass } from './supply.ts';
import type { Unit, Work } from './unit.ts';

/** As much as a rate may wobble without that anything moves. */
export const WOBBLE = 0.012;

/** Packing takes time with the square of the number of works: beyond so many it isn't done twice. */
const ROOM_WORKS_MAX = 1024;

type Pack = (works: readonly Work[]) => PlannedPool[];

const faster = (works: readonly Work[], by: (unit: Unit) => number): Work[] =>
  works.map(work => ({ ...work, rateHz: work.rateHz * by(work.unit) }));

/** Packs for rates that are `by` times higher; each device serves its part of the rates as they are. */
const grown = (works: readonly Work[], by: (unit: Unit) => number, pack: Pack): PlannedPool[] =>
  pack(faster(works, by)).map(pool => ({
    ...pool,
    parts: pool.parts.map(part => ({ ...part, rateHz: part.rateHz / by(part.unit) })),
  }));

/** These on devices of their own, each with room for rates that are {@link WOBBLE} higher. */
export const withRoom = (works: readonly Work[], pack: Pack): PlannedPool[] =>
  grown(works, () => 1 / (1 - WOBBLE), pack);

/** These on devices of their own, with as much room for each one's measured variation as pools keep. */
export const varied = (works: readonly Work[], headroom: Headroom, pack: Pack): PlannedPool[] =>
  grown(works, variesBy(headroom), pack);

/** With less than so many devices {@link varied} can't do. */
export const leastApart = (works: readonly Work[], from: DeviceClass, headroom: Headroom): number =>
  squishy.least(faster(works, variesBy(headroom)), from);

const variesBy =
  ({ variationSigmas }: Headroom) =>
  ({ variation }: Unit): number =>
    1 + variationSigmas * variation;

/**
 * Squishy bin packing that leaves room for rates that vary, and for wobbling ones on each device wherever that costs no device
 * more (up to 1,024 works).
 */
export const roomyWith = (headroom: Headroom): Packer => ({
  least: (works, from) => squishy.least(works, from),
  pack: (works, from) =>
    varied(works, headroom, all => {
      const full = squishy.pack(all, from);
      if (all.length > ROOM_WORKS_MAX) return full;
      const room = withRoom(all, more => squishy.pack(more, from));
      return hostsOf(room) <= hostsOf(full) ? room : full;
    }),
});
