import { keep } from './keep.ts';
import { cheapest, Demand, finished, serve } from './plan.ts';
import { shared } from './shared.ts';
import { squishy } from './squishy.ts';
import { HEADROOM, type Headroom } from './stagger.ts';
import type { CapacityPolicy } from './workload.ts';

/** Nexus's squishy bin packing, one device at a time (SOSP'19). */
export const nexus: CapacityPolicy = (workload, previous) => {
  const demand = new Demand(workload);
  const kept = previous?.policy === 'nexus' ? keep(demand, previous) : undefined;
  const made = kept ?? serve(demand, sessions => cheapest(demand, sessions, [squishy], previous));
  return finished('nexus', demand, made, []);
};

/** Pools with staggered late binding, with this much headroom. Never dearer than {@link nexus}. */
export const pooledWith =
  (headroom: Headroom): CapacityPolicy =>
  (workload, previous) => {
    const demand = new Demand(workload);
    const kept = previous?.policy === 'pooled' ? keep(demand, previous) : undefined;
    const made = kept ?? serve(demand, sessions => cheapest(demand, sessions, [shared(headroom), squishy], previous));
    return finished('pooled', demand, made, []);
  };

export const pooled: CapacityPolicy = pooledWith(HEADROOM);

/** By name. */
export const policies: ReadonlyMap<string, CapacityPolicy> = new Map([
  ['nexus', nexus],
  ['pooled', pooled],
]);
