import { isTight } from '../packing.ts';
import { hostsOf, poolOfShared, type Packer, type PlannedPool } from './pack.ts';
import { leastApart, roomyWith, varied } from './roomy.ts';
import { squishy } from './squishy.ts';
import { byUrgency, staggered, type Headroom, type SharedPool } from './stagger.ts';
import type { DeviceClass } from './supply.ts';
import { leastEachMs, tableOf } from './table.ts';
import type { Work } from './unit.ts';

/** Up to so many works of a small or idle pool the squishy rule is tried too: it needs no partner to stagger with. */
const SQUISHY_WORKS_MAX = 1024;
const SQUISHY_HOSTS_MAX = 6;
const IDLE = 0.75;

/**
 * Pools of one class. Works are put together as far as memory lets them be, since a host of a pool holds everything of
 * its pool; of two ways to fill memory the one with fewer hosts is taken. Small pools fall back to independent devices
 * where these need fewer.
 */
export const shared = (headroom: Headroom): Packer => ({
  least: () => 0,
  pack: (works, from) => {
    const loose = works.filter(work => !isTight(work));
    const tight = works.filter(isTight);
    const apart = [...partitioned(loose, from, headroom), ...tight.flatMap(work => smallest([work], from, headroom))];
    if (tight.length === 0) return apart;
    // Where the pool is large enough, those that would need a device each can take turns with the others.
    const together = partitioned(works, from, headroom);
    return hostsOf(together) < hostsOf(apart) ? together : apart;
  },
});

function partitioned(works: readonly Work[], from: DeviceClass, headroom: Headroom): PlannedPool[] {
  if (works.length === 0) return [];
  const bundles = bundlesOf(works);
  const bySize = bins(bundles, from.memoryBytes, (a, b) => b.bytes - a.bytes);
  const plan = (parts: readonly (readonly Work[])[]): PlannedPool[] =>
    parts.flatMap(part => smallest(part.toSorted(byUrgency), from, headroom));
  const first = plan(bySize);
  if (bySize.length === 1) return first;
  const second = plan(bins(bundles, from.memoryBytes, (a, b) => a.urgencyMs - b.urgencyMs));
  return hostsOf(second) < hostsOf(first) ? second : first;
}

/** Works of one model: they hold its weights once. */
interface Bundle {
  readonly model: string;
  readonly works: readonly Work[];
  /** P */
  readonly bytes: number;
  /** E of the batch that its loosest work would like. */
  readonly ephemeralBytes: number;
  readonly urgencyMs: number;
}

function bundlesOf(works: readonly Work[]): Bundle[] {
  const byModel = new Map<string, Work[]>();
  for (const work of works) {
    const known = byModel.get(work.curve.model);
    if (known) known.push(work);
    else byModel.set(work.curve.model, [work]);
  }
  return [...byModel].map(([model, all]): Bundle => {
    const { curve } = all[0]!;
    const loosestMs = all.reduce((most, work) => Math.max(most, work.deviceMs), 0);
    const table = tableOf(curve);
    let batch = curve.batchMin;
    while (batch < curve.batchMax && 1.25 * table.latencyMs[batch + 1 - curve.batchMin]! <= loosestMs) batch++;
    return {
      model,
      works: all,
      bytes: curve.persistentBytes,
      ephemeralBytes: curve.ephemeralBytes(batch),
      urgencyMs: all.reduce((least, work) => Math.min(least, work.deviceMs), Infinity),
    };
  });
}

/** First fit in the given order; a bundle too large even for an empty device gets one, with smaller batches. */
function bins(bundles: readonly Bundle[], memoryBytes: number, order: (a: Bundle, b: Bundle) => number): Work[][] {
  const filled: { bytes: number; ephemeralBytes: number; works: Work[] }[] = [];
  for (const bundle of bundles.toSorted((a, b) => order(a, b) || (a.model < b.model ? -1 : 1))) {
    const bin = filled.find(
      at => at.bytes + bundle.bytes + Math.max(at.ephemeralBytes, bundle.ephemeralBytes) <= memoryBytes,
    );
    if (bin) {
      bin.bytes += bundle.bytes;
      bin.ephemeralBytes = Math.max(bin.ephemeralBytes, bundle.ephemeralBytes);
      // Not push(...): a model may have more sessions than a call has arguments.
      for (const work of bundle.works) bin.works.push(work);
    } else filled.push({ bytes: bundle.bytes, ephemeralBytes: bundle.ephemeralBytes, works: [...bundle.works] });
  }
  return filled.map(bin => bin.works);
}

/** One pool, or independent devices where these are fewer. Works sorted by urgency. */
export function smallest(works: readonly Work[], from: DeviceClass, headroom: Headroom): PlannedPool[] {
  const pool = sizePool(works, from.memoryBytes, headroom);
  const idle = !pool || pool.hosts <= SQUISHY_HOSTS_MAX || pool.busy < IDLE * pool.hosts;
  const few = works.length <= SQUISHY_WORKS_MAX && idle;
  if (pool && (!few || leastApart(works, from, headroom) > pool.hosts - 1)) return [poolOfShared(pool, from)];
  const alone = few ? varied(works, headroom, all => squishy.pack(all, from)) : undefined;
  if (pool && (!alone || pool.hosts <= alone.length)) return [poolOfShared(pool, from)];
  if (alone) return roomyWith(headroom).pack(works, from);
  // Too many to take turns, and some too urgent: the urgent half and the rest apart.
  const middle = Math.ceil(works.length / 2);
  return [...smallest(works.slice(0, middle), from, headroom), ...smallest(works.slice(middle), from, headroom)];
}

/**
 * The least n ≥ 2 (and ≥ the replica floor) that serves these works as one pool, or undefined. More hosts never make
 * it worse (shorter turns, larger batches, more capacity), so doubling and halving finds it in O(log n) trials.
 */
function sizePool(works: readonly Work[], memoryBytes: number, headroom: Headroom): SharedPool | undefined {
  let floor = 2;
  let work = 0;
  let turns = 1;
  for (const one of works) {
    const leastMs = one.curve.latencyMs(one.curve.batchMin);
    if (leastMs >= one.deviceMs) return undefined;
    turns = Math.max(turns, Math.ceil(leastMs / (one.deviceMs - leastMs) - 1e-6));
    work += (one.rateHz / 1000) * leastEachMs(tableOf(one.curve), one.curve.batchMax);
    floor = Math.max(floor, one.unit.replicasMin);
  }
  floor = Math.max(floor, Math.ceil(work - 1e-9));
  // Hosts that are there for short turns alone, not for the work: better a device for each.
  const ceiling = 2 * floor + 16 * works.length;
  if (turns > ceiling) return undefined;
  floor = Math.max(floor, turns);
  const fits = (hosts: number): SharedPool | undefined => staggered(works, hosts, memoryBytes, headroom);
  let low = floor - 1;
  let hosts = floor;
  let found = fits(hosts);
  for (let step = 1; !found; step *= 2) {
    low = hosts;
    hosts += step;
    if (hosts > ceiling) return undefined;
    found = fits(hosts);
  }
  while (found.hosts - low > 1) {
    const middle = Math.floor((low + found.hosts) / 2);
    const smaller = fits(middle);
    if (smaller) found = smaller;
    else low = middle;
  }
  return found;
}
