import { batchOblivious, nexus, pooled, type CapacityPolicy } from './capacity/index.ts';
import type { BatchRule } from './query/index.ts';

/** A policy, and how queries are split for it. */
export interface PolicyEntry {
  /** As plans name it. */
  readonly name: string;
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
  pooled: { name: 'pooled', policy: pooled, rules: ['late-binding', 'independent'] },
  nexus: { name: 'nexus', policy: nexus, rules: ['independent'] },
  'batch-oblivious': { name: 'batch-oblivious', policy: batchOblivious, rules: ['independent'] },
};

export const entryOf = (policy: PolicyName | PolicyEntry): PolicyEntry =>
  typeof policy === 'string' ? POLICIES[policy] : policy;
