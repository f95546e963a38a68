/** Query analysis: how a query's objective is split over its stages. Pure. */
export { cheapestKind, devicesFor, leastShareMs, type BatchRule, type PricedKind } from './cost.ts';
export { longestPath, stageRates, topDown, type GraphStage } from './graph.ts';
export { splitQuery, type CostedStage, type QuerySplit } from './split.ts';
