import { batchOblivious, nexus, pooled, type CapacityPolicy } from './capacity/index.ts';
import type { BatchRule } from './query/index.ts';

/** A policy, and how queries are split for it. */
export interface PolicyEntry {
  readonly policy: CapacityPolicy;
  /**
   * What its hosts can count on. Of several the one with the cheapest plan: a split is made before anybody knows who shares a device
   * with whom.
   */
  readonly rules: readonly [BatchRule, ...BatchRule[]];
}

export type PolicyName = 'pooled' | 'nexus' | 'batch-oblivious';

/** What `ganglion plan` and the allocator plan with. */
export const POLICIES: Readonly<Record<PolicyName, PolicyEntry>> = {
  pooled: { policy: pooled, rules: ['late-binding', 'independent'] },
  nexus: { policy: nexus, rules: ['independent'] },
  'batch-oblivious': { policy: batchOblivious, rules: ['independent'] },
};
