import { movesOf, type CapacityPlan, type CapacityPolicy } from '../../allocator/capacity/index.ts';
import type { BatchRule } from '../../allocator/query/index.ts';
import { costView } from './costs.ts';
import type { Planned } from './output.ts';
import type { WorkloadFile } from './read.ts';
import { prepareWorkload } from './workload.ts';

/** A policy as the command line knows it. */
export interface PolicyEntry {
  readonly policy: CapacityPolicy;
  /** What its hosts can count on, and thus how queries are split for it. */
  readonly rule: BatchRule;
}

export interface PlanOptions {
  /** What runs now. */
  readonly previous?: CapacityPlan | undefined;
  /** A view of the costs takes one more plan per session. */
  readonly costs: boolean;
  readonly nowMs: () => number;
}

/** Splits the queries, plans, and says what to do to get there from what runs now. */
export function planWith({ policy, rule }: PolicyEntry, file: WorkloadFile, options: PlanOptions): Planned {
  const began = options.nowMs();
  const prepared = prepareWorkload(file, rule);
  const made = policy(prepared.workload, options.previous);
  const migration = options.previous && movesOf(options.previous, made, prepared.workload);
  const planningMs = options.nowMs() - began;
  const plan = {
    ...made,
    refused: [...prepared.refused, ...made.refused],
    notes: [...new Set([...prepared.notes, ...made.notes])],
  };
  const costs = options.costs ? costView(plan, prepared.workload, policy) : undefined;
  return { prepared, plan, planningMs, migration, costs };
}
