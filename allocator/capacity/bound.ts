import { isTight } from '../packing.ts';
import type { Curve } from '../curve.ts';
import { classesOf, type DeviceClass } from './supply.ts';
import { leastEachMs, tableOf, type Table } from './table.ts';
import { sane } from './unit.ts';
import type { Bound, PrefixGroup, SessionDemand, Workload } from './workload.ts';

/**
 * What no plan that serves these sessions can go below.
 *
 * Why: a plan runs batches. A batch of b inputs of a session takes ℓ(b) of some device for b inputs, so an input costs at
 * least min ℓ(b)/b over the batches that the session's objective allows on any kind that is on offer, and a second of
 * demand r times that; devices can't be busy for more than all of the time, and idle time, memory, whole numbers of
 * devices and limited counts only add. Allowed are, with late binding, ℓ(b) + (b−1)/r ≤ L (the first input of a batch
 * waits for the last, then the batch runs); on independent devices 2ℓ(B) ≤ L (Nexus, section 6.1), or, where not even
 * the smallest batch fits twice, the smallest batch alone. A member of a prefix group costs at least its input's part of the
 * largest prefix batch and of its own best suffix batch.
 * Those that no device can serve, or whose numbers make no sense, don't count.
 */
export const lowerBound = (workload: Workload): Bound =>
  boundOf(sane(workload).sessions, classesOf(workload.devices), workload);

/** {@link lowerBound} of some of its sessions. O(sessions). */
export function boundOf(
  sessions: readonly SessionDemand[],
  classes: readonly DeviceClass[],
  workload: Workload,
): Bound {
  const prefixOf = new Map<string, PrefixGroup>();
  for (const group of workload.prefixes) for (const member of group.members) prefixOf.set(member, group);
  const bound = { gpus: 0, costPerHour: 0, independentGpus: 0, independentCostPerHour: 0 };
  for (const session of sessions) {
    let least: { busy: number; cost: number; aloneBusy: number; aloneCost: number } | undefined;
    for (const from of classes) {
      const price = cheapest(from);
      const { busy, aloneBusy } = leastBusy(session, prefixOf.get(session.name), from, workload);
      least = {
        busy: Math.min(least?.busy ?? Infinity, busy),
        cost: Math.min(least?.cost ?? Infinity, finite(busy, price)),
        aloneBusy: Math.min(least?.aloneBusy ?? Infinity, aloneBusy),
        aloneCost: Math.min(least?.aloneCost ?? Infinity, finite(aloneBusy, price)),
      };
    }
    if (!least || least.busy === Infinity) continue;
    bound.gpus += least.busy;
    bound.costPerHour += least.cost;
    bound.independentGpus += least.aloneBusy;
    bound.independentCostPerHour += least.aloneCost;
  }
  return bound;
}

const cheapest = (from: DeviceClass): number => from.offers[0]!.pricePerHour;
const finite = (busy: number, price: number): number => (busy === Infinity ? Infinity : busy * price);

function leastBusy(
  session: SessionDemand,
  group: PrefixGroup | undefined,
  from: DeviceClass,
  workload: Workload,
): { busy: number; aloneBusy: number } {
  const perMs = session.rateHz / 1000;
  let busy = Infinity;
  let aloneBusy = Infinity;
  const own = workload.curves.find(session.model, from.kind);
  if (own && servable(own, session.sloMs - own.aroundMs, from.memoryBytes)) {
    const deviceMs = session.sloMs - own.aroundMs;
    const table = tableOf(own);
    const { latencyMs } = table;
    const runMs = (b: number): number => latencyMs[b - own.batchMin]!;
    const arrive = (b: number): boolean => runMs(b) + (perMs > 0 ? (b - 1) / perMs : 0) <= deviceMs * (1 + 1e-9);
    busy = perMs * eachMs(own, table, arrive);
    const load = { name: session.name, rateHz: session.rateHz, deviceMs, curve: own };
    const tight = isTight(load);
    aloneBusy = perMs * eachMs(own, table, b => !tight && arrive(b) && 2 * runMs(b) <= deviceMs * (1 + 1e-9));
  }
  const prefix = group && workload.curves.find(group.prefix, from.kind);
  const suffix = group && workload.curves.find(group.suffixes.get(session.name) ?? session.model, from.kind);
  if (prefix && suffix) {
    const deviceMs = session.sloMs - prefix.aroundMs - suffix.aroundMs;
    const together = (curve: Curve): number => eachMs(curve, tableOf(curve), b => curve.latencyMs(b) <= deviceMs);
    if (prefix.latencyMs(prefix.batchMin) + suffix.latencyMs(suffix.batchMin) <= deviceMs * (1 + 1e-9)) {
      const both = perMs * (together(prefix) + together(suffix));
      busy = Math.min(busy, both);
      aloneBusy = Math.min(aloneBusy, both);
    }
  }
  return { busy, aloneBusy };
}

const servable = (curve: Curve, deviceMs: number, memoryBytes: number): boolean =>
  curve.latencyMs(curve.batchMin) <= deviceMs * (1 + 1e-9) &&
  curve.persistentBytes + curve.ephemeralBytes(curve.batchMin) <= memoryBytes;

/** The least time an input, ms, over the batches up to the largest allowed; the smallest one is always allowed. */
function eachMs(curve: Curve, table: Table, allowed: (batch: number) => boolean): number {
  let [low, high] = [curve.batchMin, curve.batchMax];
  while (low < high) {
    const b = Math.ceil((low + high) / 2);
    if (allowed(b)) low = b;
    else high = b - 1;
  }
  return leastEachMs(table, low);
}
