/** Pure: what to plan, and the chart of how a plan comes into force. Nothing here knows time, the bus or a log. */
export { beside } from './beside.ts';
export * from './capacity/index.ts';
export { samePlan } from './compare.ts';
export { curveOf, curvesOf, largestBatch, type Curve, type Curves } from './curve.ts';
export { type ModelFacts, type Refusal, type Session, type StageKey } from './demand.ts';
export * from './epoch/index.ts';
export { Falls } from './falls.ts';
export { candidatesOf, makeGroupedPlan, type Candidate } from './groups/index.ts';
export { POLICIES, type PolicyEntry, type PolicyName } from './policy.ts';
export type { HostView } from './supply.ts';
export {
  memoryOf,
  merged,
  occupancy,
  pack,
  residualCycle,
  saturatingBatch,
  type Load,
  type Node,
  type Share,
} from './packing.ts';
export {
  makePlan,
  type Draft,
  type Planned,
  type PlannerInput,
  type PlannerSettings,
} from './planner.ts';
export { RateBook } from './rates.ts';
export { asPlanned, garbage, memoryWith, type Holdings } from './holdings.ts';
export { reach, renewed, type Reach } from './reach.ts';
