import { cheapest, Demand, finished, serve } from './plan.ts';
import { replanned } from './replan.ts';
import { roomy } from './roomy.ts';
import { shared } from './shared.ts';
import { squishy } from './squishy.ts';
import { HEADROOM, NO_HEADROOM, type Headroom } from './stagger.ts';
import type { CapacityPlan, CapacityPolicy } from './workload.ts';

/** Nexus's squishy bin packing, one device at a time (SOSP'19). */
export const nexus: CapacityPolicy = (workload, previous) => {
  const demand = new Demand(workload);
  const scratch = (): CapacityPlan =>
    finished(
      'nexus',
      demand,
      serve(demand, sessions => cheapest(demand, sessions, [squishy], previous)),
      [],
    );
  if (previous?.policy !== 'nexus') return scratch();
  return replanned(demand, previous, { packer: squishy, headroom: NO_HEADROOM }, scratch);
};

/**
 * Pools with staggered late binding, with this much headroom. From scratch never dearer than {@link nexus}; with the
 * plan of before, never by more than {@link replanned} allows.
 */
export const pooledWith =
  (headroom: Headroom): CapacityPolicy =>
  (workload, previous) => {
    const demand = new Demand(workload);
    const packer = shared(headroom);
    const scratch = (): CapacityPlan =>
      finished(
        'pooled',
        demand,
        serve(demand, sessions => cheapest(demand, sessions, [packer, roomy], previous)),
        [],
      );
    if (previous?.policy !== 'pooled') return scratch();
    return replanned(demand, previous, { packer, headroom }, scratch);
  };

export const pooled: CapacityPolicy = pooledWith(HEADROOM);

/** By name. */
export const policies: ReadonlyMap<string, CapacityPolicy> = new Map([
  ['nexus', nexus],
  ['pooled', pooled],
]);
