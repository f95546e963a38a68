export { bestBatch, type Candidate } from './candidate.ts';
export { curveOf, type Curve } from './curve.ts';
export { dispatchBy, type Rivalry, type Rules } from './dispatch.ts';
export { Fit } from './fit.ts';
export { Lead, type LeadOptions } from './lead.ts';
export { deferred, eager, hybrid, ourPolicies } from './policies.ts';
export { DeadlineQueue } from './queue.ts';
export { batchesSustaining, batchTarget, type Demand } from './target.ts';
export * from './view.ts';
