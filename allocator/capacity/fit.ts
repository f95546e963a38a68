import type { Curves } from '../curve.ts';
import { memoryOf, pack, type Node } from '../packing.ts';
import { poolOfNode, poolOfShared, type PlannedPool } from './pack.ts';
import { withRoom } from './roomy.ts';
import { byUrgency, staggered, type Headroom } from './stagger.ts';
import type { DeviceClass } from './supply.ts';
import { workOn, type Unit, type Work } from './unit.ts';

/** A unit with the rate that these hosts are to take. */
export interface Portion {
  readonly unit: Unit;
  readonly rateHz: number;
}

export const worksOf = (portions: readonly Portion[], from: DeviceClass, curves: Curves): Work[] | undefined => {
  const works: Work[] = [];
  for (const { unit, rateHz } of portions) {
    const work = workOn(unit, from.kind, curves);
    if (!work) return undefined;
    works.push({ ...work, rateHz: Math.max(rateHz, 1e-6) });
  }
  return works;
};

/** Works on the hosts of a pool. */
export function inPool(
  works: readonly Work[],
  hosts: number,
  from: DeviceClass,
  headroom: Headroom,
): PlannedPool | undefined {
  const pool = staggered(works.toSorted(byUrgency), hosts, from.memoryBytes, headroom);
  return pool && poolOfShared(pool, from);
}

/** Works on one device, whose cycle stays if it can; else it is packed anew. */
export function onOne(works: readonly Work[], dutyMs: number, from: DeviceClass): PlannedPool | undefined {
  const same = sameCycle(works, dutyMs, from.memoryBytes);
  return same ? poolOfNode(same, from) : packedOnOne(works, from);
}

/** With {@link withRoom} for rates that wobble. */
export const roomyOnOne = (works: readonly Work[], from: DeviceClass): PlannedPool | undefined =>
  withRoom(works, all => {
    const one = packedOnOne(all, from);
    return one ? [one] : [];
  })[0];

function packedOnOne(works: readonly Work[], from: DeviceClass): PlannedPool | undefined {
  const [node, more] = pack(works, from.memoryBytes);
  return node && !more && node.shares.length === works.length ? poolOfNode(node, from) : undefined;
}

/** The device's cycle stays, batches follow the rates: with lower rates that always works. */
function sameCycle(works: readonly Work[], dutyMs: number, memoryBytes: number): Node | undefined {
  const shares: Node['shares'][number][] = [];
  let busyMs = 0;
  for (const load of works) {
    const { curve, deviceMs, rateHz } = load;
    const batch = Math.max(curve.batchMin, Math.ceil((dutyMs * rateHz) / 1000 - 1e-9));
    if (batch > curve.batchMax) return undefined;
    const runMs = curve.latencyMs(batch);
    busyMs += runMs;
    if (busyMs > dutyMs * (1 + 1e-9) || dutyMs + runMs > deviceMs * (1 + 1e-9)) return undefined;
    shares.push({ load, rateHz, batch });
  }
  return memoryOf(shares) <= memoryBytes ? { kind: 'residual', dutyMs, shares } : undefined;
}
