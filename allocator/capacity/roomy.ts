import { isTight, saturatingBatch } from '../packing.ts';
import { hostsOf, type Packer, type PlannedPool } from './pack.ts';
import { squishy } from './squishy.ts';
import { burstRoom, type Headroom } from './stagger.ts';
import type { DeviceClass } from './supply.ts';
import type { Unit, Work } from './unit.ts';

/** As much as a rate may wobble without that anything moves. */
export const WOBBLE = 0.012;

/** Packing takes time with the square of the number of works: beyond so many it isn't done twice. */
const ROOM_WORKS_MAX = 1024;

type Pack = (works: readonly Work[]) => PlannedPool[];

type Growth = (work: Work) => number;

const faster = (works: readonly Work[], by: Growth): Work[] =>
  works.map(work => ({ ...work, rateHz: work.rateHz * by(work) }));

/** Packs for rates that are `by` times higher; each device serves its part of the rates as they are. */
function grown(works: readonly Work[], by: Growth, pack: Pack): PlannedPool[] {
  const growth = new Map<Unit, number>(works.map(work => [work.unit, by(work)]));
  return pack(faster(works, by)).map(pool => ({
    ...pool,
    parts: pool.parts.map(part => ({ ...part, rateHz: part.rateHz / growth.get(part.unit)! })),
  }));
}

/** These on devices of their own, each with room for rates that are {@link WOBBLE} higher. */
export const withRoom = (works: readonly Work[], pack: Pack): PlannedPool[] =>
  grown(works, () => 1 / (1 - WOBBLE), pack);

/** These on devices of their own, with as much room for bursts and for each one's measured variation as pools keep. */
export const varied = (works: readonly Work[], headroom: Headroom, pack: Pack): PlannedPool[] =>
  grown(works, variesBy(headroom), pack);

/** With less than so many devices {@link varied} can't do. */
export const leastApart = (works: readonly Work[], from: DeviceClass, headroom: Headroom): number =>
  squishy.least(faster(works, variesBy(headroom)), from);

/** A device that is full of one work has to leave as much free for its bursts, whatever its rate: so does each that shares one. */
const variesBy =
  ({ variationSigmas, drifts }: Headroom): Growth =>
  work =>
    1 + variationSigmas * work.unit.variation + (isTight(work) ? 0 : burstRoomAlone(work, drifts));

function burstRoomAlone(work: Work, drifts: number): number {
  const batch = saturatingBatch(work, Infinity) ?? work.curve.batchMin;
  const runMs = work.curve.latencyMs(batch);
  return burstRoom(runMs / batch, work.deviceMs - runMs, 1, drifts);
}

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
