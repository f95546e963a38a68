/** Planning of capacity: what it takes to serve a workload, how little it could take, and how to get there. */
export { admit, inOrder, itemsOf } from './admit.ts';
export { lowerBound } from './bound.ts';
export { checkPlan } from './check.ts';
export { movesOf, type Migration, type Move } from './moves.ts';
export { capacityPolicyOf, packingPolicy, type OwnHost, type OwnPacking } from './own.ts';
export { batchOblivious, nexus, nexusWith, policies, pooled, pooledWith } from './policies.ts';
export { scratchRatioOf } from './replan.ts';
export { HEADROOM, NO_HEADROOM, type Headroom } from './stagger.ts';
export { termsOf } from './supply.ts';
export * from './workload.ts';
