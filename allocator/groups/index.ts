export { candidatesOf, type Candidate } from './candidates.ts';
export { makeGroupedPlan } from './choose.ts';
