import { hostsOf, type Packer, type PlannedPool } from './pack.ts';
import type { DeviceClass } from './supply.ts';
import type { Work } from './unit.ts';

/** Up to so many works all ways to part them are compared: 63 groups. */
const WORKS_MAX = 6;

/**
 * Few works, parted into groups in the best way: the fewest hosts over all partitions, each group packed by the packer that
 * needs fewest. More works go to the first packer as they are. Which works go together is where packing loses most when
 * there are few: a twentieth of the devices on random workloads (docs/planning.md). O(3^m), and each group packed once for
 * all calls.
 */
export function grouped(packers: readonly [Packer, ...Packer[]]): Packer {
  const known = new Map<string, PlannedPool[]>();
  const alone = (works: readonly Work[], from: DeviceClass): PlannedPool[] => {
    const key = JSON.stringify([from.key, works.map(work => [work.name, work.rateHz, work.deviceMs])]);
    let best = known.get(key);
    if (best) return best;
    for (const packer of packers) {
      const pools = packer.pack(works, from);
      if (!best || hostsOf(pools) < hostsOf(best)) best = pools;
    }
    known.set(key, best!);
    return best!;
  };
  return {
    least: (works, from) => packers[0].least(works, from),
    pack: (works, from) => {
      if (works.length < 2 || works.length > WORKS_MAX) return packers[0].pack(works, from);
      const sorted = works.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      const best: PlannedPool[][] = [[]];
      for (let all = 1; all < 2 ** sorted.length; all++) {
        let found = alone(
          sorted.filter((_, i) => all & (1 << i)),
          from,
        );
        // The part that holds the lowest of all, so that no two are tried twice.
        const lowest = all & -all;
        for (let part = (all - 1) & all; part > 0; part = (part - 1) & all) {
          if (!(part & lowest)) continue;
          const [one, other] = [best[part]!, best[all - part]!];
          if (hostsOf(one) + hostsOf(other) < hostsOf(found)) found = [...one, ...other];
        }
        best.push(found);
      }
      return best.at(-1)!;
    },
  };
}
