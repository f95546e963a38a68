/** What actors, policies, models, queries and tools of your own import: `import { actor, subjects, Type } from 'ganglion'`. */
export * from './actors/actor/index.ts';
export * from './contracts/index.ts';
export {
  bestBatch,
  dispatchBy,
  dispatchPolicy,
  INSTANT_MS,
  isUsable,
  type Candidate,
  type Decision,
  type Drop,
  type Grant,
  type GroupView,
  type HostView,
  type LotView,
  type Policy,
  type PolicyOptions,
  type PoolView,
  type QueueView,
  type Rivalry,
  type Rules,
  type SeatView,
} from './actors/prefix-batcher/policy/index.ts';
export {
  packingPolicy,
  type CapacityPlan,
  type OwnHost,
  type SessionDemand,
  type Workload,
} from './allocator/capacity/index.ts';
