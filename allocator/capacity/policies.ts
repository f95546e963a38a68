import { Demand } from './demand.ts';
import { finished } from './finish.ts';
import { grouped } from './groups.ts';
import { nexusEpoch, type EpochOptions } from './nexus-epoch.ts';
import { oblivious } from './oblivious.ts';
import { KNOWN_SESSIONS_MAX, remembered, replanned, shortOf } from './replan.ts';
import { roomyWith } from './roomy.ts';
import { cheapest, serve } from './serve.ts';
import { shared } from './shared.ts';
import { squishy } from './squishy.ts';
import { HEADROOM, type Headroom } from './stagger.ts';
import type { CapacityPlan, CapacityPolicy } from './workload.ts';

/**
 * Nexus: squishy bin packing, one device at a time (SOSP'19), and with the plan of before its steps from epoch to epoch,
 * which never pack anew.
 */
export const nexusWith =
  (options: Pick<EpochOptions, 'consolidate'>): CapacityPolicy =>
  (workload, previous) => {
    const demand = new Demand(workload);
    const scratch = (): CapacityPlan =>
      finished(
        'nexus',
        demand,
        serve(demand, sessions => cheapest(demand, sessions, [squishy], previous)),
      );
    if (previous?.policy !== 'nexus') return scratch();
    const waiting = shortOf(demand, previous);
    const next = nexusEpoch(demand, previous, { ...options, waiting });
    // Who is to have what becomes free is for a plan from scratch to say.
    if (!next || (next.moved && waiting.size > 0)) return scratch();
    return finished('nexus', demand, { hosts: next.hosts, refused: [...demand.refused, ...waiting.values()] });
  };

export const nexus: CapacityPolicy = nexusWith({ consolidate: false });

/** Devices in proportion to rates over single-device throughput, whoever shares one: see {@link oblivious}. Always from scratch. */
export const batchOblivious: CapacityPolicy = (workload, previous) => {
  const demand = new Demand(workload);
  const made = serve(demand, sessions => cheapest(demand, sessions, [oblivious], previous));
  return finished('batch-oblivious', demand, made);
};

/**
 * Pools with staggered late binding, with this much headroom. From scratch and without headroom never dearer than {@link nexus}; with the
 * plan of before, never by more than {@link replanned} allows, up to `knownSessionsMax` sessions by comparing, beyond by
 * its estimate. (Where rates vary, {@link nexus} keeps no room for that.)
 */
export const pooledWith =
  (headroom: Headroom, { knownSessionsMax = KNOWN_SESSIONS_MAX } = {}): CapacityPolicy =>
  (workload, previous) => {
    const demand = new Demand(workload);
    const packer = shared(headroom);
    const roomy = roomyWith(headroom);
    const best = grouped([packer, roomy]);
    const scratch = (): CapacityPlan =>
      finished(
        'pooled',
        demand,
        serve(demand, sessions => cheapest(demand, sessions, [best, roomy], previous)),
      );
    const plan =
      previous?.policy === 'pooled'
        ? replanned(demand, previous, { packer, headroom, knownSessionsMax }, scratch)
        : scratch();
    return remembered(plan, workload.curves, headroom);
  };

export const pooled: CapacityPolicy = pooledWith(HEADROOM);

/** Those whose plans keep their objectives, by name. */
export const policies: ReadonlyMap<string, CapacityPolicy> = new Map([
  ['nexus', nexus],
  ['pooled', pooled],
]);
