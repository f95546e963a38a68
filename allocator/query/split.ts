import { ConfigError } from '../../contracts/index.ts';
import { minimise, ofDifference, ofOne, ofRest, widthOf, type Factor } from './elimination.ts';
import { longestPath, topDown, type GraphStage } from './graph.ts';

/** A stage with what it costs. */
export interface CostedStage extends GraphStage {
  /** Cost when it may take `shareMs`: network, pre- and postprocessing included; Infinity where it can't be done. */
  readonly cost: (shareMs: number) => number;
}

export interface QuerySplit {
  /** Time of each stage, ms. Along each path from the frame to a last stage they sum up to the budget at most. */
  readonly shareMs: ReadonlyMap<string, number>;
  readonly cost: number;
  /** No split at all, on any grid, costs less than this. */
  readonly costLeast: number;
  /** The grid: budget / steps. */
  readonly stepMs: number;
}

/** Work of one elimination, in additions: some 10 ms. */
const WORK_MAX = 3e6;
const STEPS = 200;
/**
 * Of the cost of a query. Costs are those of stages apart, and a rare stage's falls a little with any time that it gets, for it waits for its batch to fill:
 * for less than this no other stage is left without room.
 */
const COST_TOLERANCE = 0.001;

/**
 * Splits a latency budget over a DAG of stages so that the sum of their costs is least:
 * f(u,t) = min over k ≤ t of cost_u(k) + Σ_children f(v, t−k) on trees (Nexus, SOSP'19, section 6.2; γ is in the rates,
 * thus in cost_u), and the same over the ends of stages where a stage has several parents.
 *
 * Time is cut into `steps` parts. O(stages · steps²) on trees and wherever a fork is joined as a whole, O(stages · stepsʷ)
 * in general; where that would exceed a bound, `steps` is lowered. Exact on the grid; against unrestricted shares the
 * cost is at most that of the best split of budget − depth · stepMs and 0.1 % more, and `costLeast` (every stage given one step more
 * than it pays for) is a proven lower bound. What is left over, for nothing or for that 0.1 %, is handed back along each path in proportion: worth more
 * than piled up on one stage when curves are flat.
 * @returns undefined when no split can be served
 * @throws ConfigError for unknown stages, circles, and graphs too entangled to split
 */
export function splitQuery(
  stages: readonly CostedStage[],
  budgetMs: number,
  options: { readonly steps?: number } = {},
): QuerySplit | undefined {
  const order = topDown(stages);
  const layout = layoutOf(order);
  const steps = stepsFor(layout, order, options.steps ?? STEPS);
  const stepMs = budgetMs / steps;
  const costs = new Map(order.map(stage => [stage.name, tableOf(stage, stepMs, steps)]));
  const found = minimise(factorsOf(layout, costs, steps), steps);
  if (!found) return undefined;
  const spare = (COST_TOLERANCE * found.cost) / order.length;
  const chosen = new Map<string, number>();
  for (const { name } of order) {
    const { start, end } = layout.get(name)!;
    const took = (end === LAST ? steps : found.at.get(end)!) - (start === FIRST ? 0 : found.at.get(start)!);
    chosen.set(name, leastWithin(costs.get(name)!, took, spare));
  }
  const shareMs = handOut(order, chosen, budgetMs, stepMs);
  const cost = order.reduce((sum, stage) => sum + stage.cost(shareMs.get(stage.name)!), 0);
  // With one step more than it takes each stage costs no more than with what the grid cut off.
  const generous = new Map([...costs].map(([name, table]) => [name, shifted(table)]));
  const costLeast = minimise(factorsOf(layout, generous, steps), steps)!.cost;
  return { shareMs, cost, costLeast: Math.min(cost, costLeast), stepMs };
}

/**
 * The same share for each stage of the longest path, and for the others of what the stages around them leave: how the systems do it
 * that Nexus was compared with. @throws ConfigError for unknown stages and circles
 */
export function splitEvenly(stages: readonly GraphStage[], budgetMs: number): ReadonlyMap<string, number> {
  const order = topDown(stages);
  return handOut(order, new Map(order.map(({ name }) => [name, 1])), budgetMs, 0);
}

/** Variables: when a stage starts and ends, in steps. FIRST is the frame's arrival, LAST the deadline. */
const FIRST = -1;
const LAST = -2;
type Layout = ReadonlyMap<string, { readonly start: number; readonly end: number; readonly before: readonly number[] }>;

/**
 * An end and a start that may as well be the same moment share one variable: a stage with one parent starts when that
 * ends, a stage with one child ends when that starts. `before`: starts that the end must not come after.
 */
function layoutOf(order: readonly GraphStage[]): Layout {
  const childrenOf = (name: string): GraphStage[] => order.filter(other => other.from.includes(name));
  const index = new Map(order.map(({ name }, i) => [name, i]));
  const joinOf = (name: string): number => index.get(name)!;
  const endOf = (name: string): number => {
    const [only, more] = childrenOf(name);
    if (!only) return LAST;
    return !more && only.from.length > 1 ? joinOf(only.name) : order.length + index.get(name)!;
  };
  return new Map(
    order.map(({ name, from }) => {
      const end = endOf(name);
      const start = from.length === 0 ? FIRST : from.length === 1 ? endOf(from[0]!) : joinOf(name);
      const joins = childrenOf(name).filter(child => child.from.length > 1);
      return [name, { start, end, before: joins.map(child => joinOf(child.name)).filter(one => one !== end) }];
    }),
  );
}

function factorsOf(layout: Layout, costs: ReadonlyMap<string, Float64Array>, steps: number): Factor[] {
  const free = new Float64Array(steps + 1);
  return [...layout].flatMap(([name, { start, end, before }]) => {
    const cost = costs.get(name)!;
    const own =
      start === FIRST
        ? end === LAST
          ? { variables: [], strides: [], base: steps, values: cost }
          : ofOne(end, cost)
        : end === LAST
          ? ofRest(start, cost)
          : ofDifference(start, end, cost);
    return [own, ...before.map(join => ofDifference(end, join, free))];
  });
}

function stepsFor(layout: Layout, order: readonly GraphStage[], wanted: number): number {
  const scopes = [...layout.values()].flatMap(({ start, end, before }) => [
    [start, end].filter(one => one >= 0),
    ...before.map(join => [end, join]),
  ]);
  const width = widthOf(scopes);
  const steps = Math.min(wanted, Math.floor(WORK_MAX ** (1 / width)) - 1);
  if (steps >= Math.min(wanted, 2 * longestPath(order, () => 1))) return steps;
  throw new ConfigError(`the stages are too entangled to split the objective: ${width} moments depend on each other`, {
    field: 'stages',
    remedy: 'let fewer stages read several others',
  });
}

/** Costs by step, never rising: who has more time may always take less of it. */
function tableOf(stage: CostedStage, stepMs: number, steps: number): Float64Array {
  const table = Float64Array.from({ length: steps + 1 }, (_, k) => stage.cost(k * stepMs));
  for (let k = 1; k <= steps; k++) table[k] = Math.min(table[k]!, table[k - 1]!);
  return table;
}

const shifted = (table: Float64Array): Float64Array => table.map((_, k) => table[Math.min(k + 1, table.length - 1)]!);

/** The least time in which it costs at most `spare` more. */
function leastWithin(table: Float64Array, took: number, spare: number): number {
  let least = took;
  while (least > 0 && table[least - 1]! <= table[took]! + spare + 1e-12) least--;
  return least;
}

/**
 * Scales the chosen steps along each path so that they fill the budget: no stage gets less than it chose. One that ends
 * before others that the next stage waits for gets that time too.
 */
function handOut(
  order: readonly GraphStage[],
  chosen: ReadonlyMap<string, number>,
  budgetMs: number,
  stepMs: number,
): Map<string, number> {
  const behind = (name: string): GraphStage[] => order.filter(other => other.from.includes(name));
  const needed = new Map<string, number>();
  for (const { name } of order.toReversed()) {
    needed.set(name, chosen.get(name)! + Math.max(0, ...behind(name).map(child => needed.get(child.name)!)));
  }
  const starts = new Map<string, number>();
  const ends = new Map<string, number>();
  for (const { name, from } of order) {
    const startMs = Math.max(0, ...from.map(parent => ends.get(parent)!));
    starts.set(name, startMs);
    ends.set(name, startMs + ((budgetMs - startMs) * chosen.get(name)!) / Math.max(needed.get(name)!, 1));
  }
  return new Map(
    order.map(({ name }) => {
      const endMs = Math.min(budgetMs, ...behind(name).map(child => starts.get(child.name)!));
      // Rounding must not take a batch away that the grid had granted.
      return [name, Math.max(endMs - starts.get(name)!, chosen.get(name)! * stepMs)];
    }),
  );
}
