import type { Plan } from '../contracts/index.ts';
import { scratchRatioOf, type CapacityHost, type CapacityPlan } from './capacity/index.ts';
import type { Place } from './hosts.ts';
import type { Supply } from './supply.ts';

type Cuts = NonNullable<Plan['capacity']>;

/**
 * How rates were cut over the named hosts, one entry for hosts that share the same: what the next plan is mended by, unless this
 * one is short.
 */
export const capacityOf = (
  plan: CapacityPlan,
  places: readonly Place[],
  { members, short }: { members: ReadonlyMap<string, readonly string[]>; short: boolean },
): Pick<Plan, 'capacity' | 'scratchRatio' | 'short'> => {
  const capacity = cutsOf(places, members);
  return short ? { capacity, short } : { capacity, scratchRatio: scratchRatioOf(plan) };
};

function cutsOf(places: readonly Place[], members: ReadonlyMap<string, readonly string[]>): Cuts {
  const pools = new Map<string, { hosts: string[]; node: CapacityHost }>();
  for (const { host, node } of places) {
    if (!node) continue;
    const known = pools.get(node.pool);
    if (known) known.hosts.push(host.host);
    else pools.set(node.pool, { hosts: [host.host], node });
  }
  return [...pools.values()]
    .map(({ hosts, node }) => ({
      hosts: hosts.toSorted(),
      dutyMs: node.dutyMs,
      sessions: node.sessions.map(session => ({ ...session, of: [...(members.get(session.name) ?? [])] })),
    }))
    .toSorted((a, b) => (a.hosts[0]! < b.hosts[0]! ? -1 : 1));
}

/** The plan in force in the words of the policy that made it, so that it can be mended. Hosts that are gone are left out. */
export function previousOf(current: Plan | undefined, policy: string, supply: Supply): CapacityPlan | undefined {
  if (!current?.capacity || current.short || current.policy !== policy) return undefined;
  const hosts = current.capacity.flatMap(({ hosts: names, dutyMs, sessions }) =>
    names.flatMap((host): CapacityHost[] => {
      const live = supply.hosts.find(each => each.host === host);
      if (!live) return [];
      const { count: _, ...terms } = live.offer;
      return [{ id: host, pool: names.length === 1 ? host : names[0]!, ...terms, occupancy: 1, dutyMs, sessions }];
    }),
  );
  const bound = { gpus: 0, costPerHour: 0, independentGpus: 0, independentCostPerHour: 0 };
  const plan = { policy, gpus: hosts.length, costPerHour: hosts.length, bound, hosts, refused: [], notes: [] };
  return current.scratchRatio === undefined ? plan : { ...plan, scratchRatio: current.scratchRatio };
}
