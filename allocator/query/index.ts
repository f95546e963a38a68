/** Query analysis: how a query's objective is split over its stages. Pure. */
export { analyseQuery, costOfShares, tooShort, type ModelStage, type StageDevices } from './analyse.ts';
export { cheapestKind, devicesFor, leastShareMs, type BatchRule, type PricedKind } from './cost.ts';
export { longestPath, stageRates, topDown, type GraphStage } from './graph.ts';
export { splitEvenly, splitQuery, type CostedStage, type QuerySplit } from './split.ts';
