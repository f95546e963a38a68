import type { Curves } from '../curve.ts';
import { cheapestKind, leastShareMs, type BatchRule, type PricedKind } from './cost.ts';
import { longestPath, type GraphStage } from './graph.ts';
import { splitQuery, type CostedStage, type QuerySplit } from './split.ts';

/** A stage as devices see it. */
export interface ModelStage extends GraphStage {
  readonly model: string;
  readonly rateHz: number;
}

/** What stages could run on, and by which rule batches are formed there. */
export interface StageDevices {
  readonly kinds: readonly PricedKind[];
  readonly curves: Curves;
  readonly rule: BatchRule;
  /** Charged to each stage. */
  readonly networkMs: number;
}

/** The cheapest split of a query's objective over its stages; undefined: none can be served. @throws ConfigError */
export const analyseQuery = (
  stages: readonly ModelStage[],
  budgetMs: number,
  devices: StageDevices,
): QuerySplit | undefined => splitQuery(costed(stages, devices), budgetMs);

/** What the stages cost an hour with these shares; Infinity where one can't be done. */
export const costOfShares = (
  stages: readonly ModelStage[],
  shareMs: ReadonlyMap<string, number>,
  devices: StageDevices,
): number => costed(stages, devices).reduce((sum, stage) => sum + stage.cost(shareMs.get(stage.name) ?? 0), 0);

function costed(stages: readonly ModelStage[], { kinds, curves, rule, networkMs }: StageDevices): CostedStage[] {
  return stages.map(({ name, from, model, rateHz }) => ({
    name,
    from,
    cost: shareMs => cheapestKind({ model, rateHz, shareMs, networkMs }, kinds, curves, rule).costPerHour,
  }));
}

/** Why an objective is too short: what each stage takes at least, Infinity where no device has the memory for it. */
export interface TooShort {
  readonly leastMs: ReadonlyMap<string, number>;
  /** The least whole number of ms, or nearly so, that can be served; undefined: none. */
  readonly nearestMs: number | undefined;
}

const TRIES_MAX = 40;

/** By the devices' rule: `independent` names an objective with room for waiting, the other the least there is. */
export function tooShort(stages: readonly ModelStage[], devices: StageDevices): TooShort {
  const { kinds, curves, rule, networkMs } = devices;
  const leastMs = new Map(
    stages.map(({ name, model }) => [name, leastShareMs({ model, networkMs }, kinds, curves, rule)]),
  );
  const pathMs = longestPath(stages, name => leastMs.get(name)!);
  // The grid can cut off a little more than the path takes.
  let nearestMs = Math.ceil(pathMs);
  for (let tries = 0; Number.isFinite(pathMs) && tries < TRIES_MAX; tries++) {
    if (analyseQuery(stages, nearestMs, devices)) return { leastMs, nearestMs };
    nearestMs = Math.ceil(nearestMs * 1.02);
  }
  return { leastMs, nearestMs: undefined };
}
