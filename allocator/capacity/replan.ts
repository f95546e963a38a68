import type { Curves } from '../curve.ts';
import type { Demand } from './demand.ts';
import { finished } from './finish.ts';
import type { Packer } from './pack.ts';
import { repair, type Repaired } from './repair.ts';
import type { Headroom } from './stagger.ts';
import type { CapacityPlan, RefusedSession } from './workload.ts';

/** A mended plan may cost so much more than one from scratch: what loading fewer models is worth. */
const TOLERANCE = 0.02;
/** Up to so many sessions a plan from scratch is there in milliseconds, and its cost is known instead of estimated. */
export const KNOWN_SESSIONS_MAX = 200;

/** What a plan was made with: a memory, no part of it. A plan from a file comes out the same, only later. */
const madeWith = new WeakMap<CapacityPlan, { readonly curves: Curves; readonly headroom: Headroom }>();

export function remembered(plan: CapacityPlan, curves: Curves, headroom: Headroom): CapacityPlan {
  madeWith.set(plan, { curves, headroom });
  return plan;
}

/**
 * The next plan, given what runs. It is the previous one, mended, while that costs at most 1 + {@link TOLERANCE} times
 * what a plan from scratch would: up to {@link KNOWN_SESSIONS_MAX} sessions one is made to compare with; beyond, the lower
 * bound times what the last plan from scratch cost over its own is the estimate. Where no rate left the range in which
 * nothing is to move, and everything still holds, nothing is compared.
 */
export function replanned(
  demand: Demand,
  previous: CapacityPlan,
  options: { readonly packer: Packer; readonly headroom: Headroom; readonly knownSessionsMax: number },
  scratch: () => CapacityPlan,
): CapacityPlan {
  const waiting = shortOf(demand, previous);
  const rules = madeWith.get(previous);
  const known = rules?.curves === demand.workload.curves && rules.headroom === options.headroom;
  const mend = (costMax: number): Repaired | undefined =>
    repair(demand, previous, { ...options, known, waiting, costMax });
  const first = mend(Number.POSITIVE_INFINITY);
  if (!first) return scratch();
  const refused = [...demand.refused, ...waiting.values()];
  const plan = finished(previous.policy, demand, { hosts: first.hosts, refused });
  const ratio = scratchRatioOf(previous);
  // Who is to have what becomes free is for a plan from scratch to say.
  if (waiting.size > 0) return first.moved ? scratch() : { ...plan, scratchRatio: ratio };
  if (first.still) return { ...plan, scratchRatio: ratio };
  const rival = demand.sessions.length <= options.knownSessionsMax ? scratch() : undefined;
  const least = rival ? rival.costPerHour : ratio * plan.bound.costPerHour;
  const costMax = least * (1 + TOLERANCE) + 1e-9;
  const scratchRatio = rival ? ratioOf(rival) : ratio;
  if (plan.costPerHour <= costMax) return { ...plan, scratchRatio };
  const second = mend(costMax);
  const cheaper = second && finished(previous.policy, demand, { hosts: second.hosts, refused });
  return cheaper && cheaper.costPerHour <= costMax ? { ...cheaper, scratchRatio } : (rival ?? scratch());
}

const ratioOf = ({ costPerHour, bound }: CapacityPlan): number =>
  bound.costPerHour > 0 ? costPerHour / bound.costPerHour : 1;

/** What the last plan from scratch cost, over its lower bound. */
export const scratchRatioOf = (plan: CapacityPlan): number => plan.scratchRatio ?? ratioOf(plan);

/** Sessions that could be served, and were refused for want of devices. */
export function shortOf(demand: Demand, previous: CapacityPlan): Map<string, RefusedSession> {
  const known = new Map(previous.refused.map(refusal => [refusal.session, refusal]));
  const short = new Map<string, RefusedSession>();
  if (known.size === 0) return short;
  for (const { name } of demand.sessions) {
    const refusal = known.get(name);
    if (refusal) short.set(name, refusal);
  }
  return short;
}
