import { movesOf, type CapacityPlan } from '../../allocator/capacity/index.ts';
import type { PolicyEntry } from '../../allocator/index.ts';
import { costView } from './costs.ts';
import type { Planned } from './output.ts';
import type { WorkloadFile } from './read.ts';
import { prepareWorkload, type PreparedWorkload } from './workload.ts';

export interface PlanOptions {
  /** What runs now. */
  readonly previous?: CapacityPlan | undefined;
  /** A view of the costs takes one more plan per session. */
  readonly costs: boolean;
  readonly nowMs: () => number;
}

/** Splits the queries, plans, and says what to do to get there from what runs now. */
export function planWith({ policy, rules }: PolicyEntry, file: WorkloadFile, options: PlanOptions): Planned {
  const began = options.nowMs();
  // Without queries the rules don't differ.
  const tried = (file.document.queries ?? []).length === 0 ? rules.slice(0, 1) : rules;
  const candidates = tried.map(rule => {
    const prepared = prepareWorkload(file, rule);
    return { prepared, made: policy(prepared.workload, options.previous) };
  });
  const { prepared, made } = candidates.reduce((best, next) => (isBetter(next, best) ? next : best));
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

type Candidate = { readonly prepared: PreparedWorkload; readonly made: CapacityPlan };

/** Refuses less, or costs less. */
function isBetter(one: Candidate, other: Candidate): boolean {
  const refused = ({ prepared, made }: Candidate): number => prepared.refused.length + made.refused.length;
  if (refused(one) !== refused(other)) return refused(one) < refused(other);
  return one.made.costPerHour < other.made.costPerHour - 1e-9;
}
