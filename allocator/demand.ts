import { DEFAULT_TENANT, type QueryDocument } from '../contracts/index.ts';
import type { Curve } from './curve.ts';
import { splitBudget, type SplitStage } from './split.ts';
import { canServe, compareText, isTight, occupancy, pack, type Load } from './packing.ts';

/** One stage of a query with its share of the objective: what capacity is planned for. */
export interface Session {
  /** `<tenant>.<query>.<stage>` */
  readonly name: string;
  readonly tenant: string;
  readonly query: string;
  readonly stage: string;
  /** Model id. */
  readonly model: string;
  readonly rateHz: number;
  /** Its share of the objective, everything included. */
  readonly budgetMs: number;
  /** What stages behind it need at most. */
  readonly reserveMs: number;
  readonly prefer: 'latency' | 'consolidation';
}

export interface Refusal {
  readonly tenant: string;
  readonly query: string;
  readonly reason: string;
}

/** What the planner knows of a model by its name. */
export interface ModelFacts {
  readonly id: string;
  readonly batchMax: number;
}

export interface StageKey {
  readonly tenant: string;
  readonly query: string;
  readonly stage: string;
}

export interface DemandView {
  readonly models: ReadonlyMap<string, ModelFacts>;
  /** Measured invocations per second; undefined: not measured yet. */
  readonly rateHz: (key: StageKey) => number | undefined;
  /** The curve to split by: that of the fastest kind of device. Undefined: not profiled. */
  readonly fastest: (model: string) => Curve | undefined;
  /** Why a model has no curve. */
  readonly whyNoCurve: (model: string) => string;
  /** Reserve per stage for the ways between router, batcher and host. */
  readonly networkMs: number;
}

/**
 * Nobody plans for nothing: a stage that saw no traffic keeps room for an invocation every ten seconds (Nexus's
 * floor).
 */
const RATE_FLOOR_HZ = 0.1;

export const tenantOf = (query: QueryDocument): string => query.tenant ?? DEFAULT_TENANT;

/** L: what of a stage's share is left for waiting for the device and running on it. */
export const deviceMs = (budgetMs: number, curve: Curve, networkMs: number): number =>
  budgetMs - networkMs - curve.aroundMs;

/** The sessions of one query, or why it can't be planned. */
export function sessionsOf(query: QueryDocument, view: DemandView): readonly Session[] | Refusal {
  const tenant = tenantOf(query);
  const refuse = (reason: string): Refusal => ({ tenant, query: query.name, reason });
  const order = topDown(query);
  if (typeof order === 'string') return refuse(order);
  const curves = new Map<string, Curve>();
  for (const stage of order) {
    const model = view.models.get(query.stages[stage]!.model);
    if (!model) return refuse(`stage ${stage}: model ${query.stages[stage]!.model} is not applied; apply its document`);
    const curve = view.fastest(model.id);
    if (!curve) return refuse(`stage ${stage}: ${view.whyNoCurve(model.id)}`);
    curves.set(stage, curve);
  }
  const rates = ratesOf(query, order, view);
  const stages = order.map((name): SplitStage => {
    const curve = curves.get(name)!;
    return {
      name,
      from: query.stages[name]!.from,
      cost: shareMs => devicesFor(curve, rates.get(name)!, deviceMs(shareMs, curve, view.networkMs)),
    };
  });
  const split = splitBudget(stages, query.objectiveMs);
  if (!split) return refuse(tooShort(query, stages, curves, view));
  const behind = reserves(stages, split.shareMs);
  return order.map(stage => ({
    name: `${tenant}.${query.name}.${stage}`,
    tenant,
    query: query.name,
    stage,
    model: curves.get(stage)!.model,
    rateHz: rates.get(stage)!,
    budgetMs: split.shareMs.get(stage)!,
    reserveMs: behind.get(stage)!,
    prefer: query.prefer ?? 'latency',
  }));
}

/** Stages, each after the one that it reads; or what is wrong with them. */
function topDown(query: QueryDocument): string[] | string {
  const placed = new Set<string>();
  const names = Object.keys(query.stages).toSorted(compareText);
  for (const name of names) {
    const from = query.stages[name]!.from;
    if (from !== undefined && !Object.hasOwn(query.stages, from))
      return `stage ${name} reads from ${from}, which is no stage of the query`;
  }
  while (placed.size < names.length) {
    const next = names.find(name => {
      const from = query.stages[name]!.from;
      return !placed.has(name) && (from === undefined || placed.has(from));
    });
    if (next === undefined)
      return `stages ${names.filter(n => !placed.has(n)).join(', ')} read from each other in a circle`;
    placed.add(next);
  }
  return [...placed];
}

/** Measured where there is enough data, else declared: rateHz of the query times the fan-outs on the way. */
function ratesOf(query: QueryDocument, order: readonly string[], view: DemandView): Map<string, number> {
  const rates = new Map<string, number>();
  for (const stage of order) {
    const { from, fanout } = query.stages[stage]!;
    const declared = from === undefined ? (query.rateHz ?? 1) : rates.get(from)! * (fanout ?? 1);
    const measured = view.rateHz({ tenant: tenantOf(query), query: query.name, stage });
    rates.set(stage, Math.max(RATE_FLOOR_HZ, measured ?? declared));
  }
  return rates;
}

/** Devices (with fractions) that a rate takes within L ms; Infinity where not even one input could be in time. */
function devicesFor(curve: Curve, rateHz: number, deviceMs: number): number {
  const load: Load = { name: '', rateHz, deviceMs, curve };
  if (!canServe(load, Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
  const devices = pack([load], Number.POSITIVE_INFINITY).reduce((sum, node) => sum + occupancy(node), 0);
  // A device of its own costs a whole one, and must not look cheaper than sharing.
  return isTight(load) ? devices + 1 : devices;
}

/** For each stage the longest sum of shares behind it. */
function reserves(stages: readonly SplitStage[], shareMs: ReadonlyMap<string, number>): Map<string, number> {
  const reserve = new Map<string, number>(stages.map(stage => [stage.name, 0]));
  for (const stage of stages.toReversed()) {
    if (stage.from === undefined) continue;
    const path = shareMs.get(stage.name)! + reserve.get(stage.name)!;
    reserve.set(stage.from, Math.max(reserve.get(stage.from)!, path));
  }
  return reserve;
}

function tooShort(
  query: QueryDocument,
  stages: readonly SplitStage[],
  curves: ReadonlyMap<string, Curve>,
  view: DemandView,
): string {
  // Twice the smallest batch: an input that just misses a cycle waits for it and for its own.
  const least = new Map<string, number>(
    stages.map(({ name }) => {
      const curve = curves.get(name)!;
      return [name, 2 * curve.latencyMs(curve.batchMin) + curve.aroundMs + view.networkMs];
    }),
  );
  const behind = reserves(stages, least);
  const path = Math.max(...stages.filter(s => s.from === undefined).map(s => least.get(s.name)! + behind.get(s.name)!));
  const detail = stages.map(s => `${s.name} ${Math.ceil(least.get(s.name)!)} ms`).join(', ');
  // 1 % more: the split cuts time into steps.
  const nearestMs = Math.ceil(path * 1.01);
  return (
    `the objective of ${query.objectiveMs} ms can't be met: the stages need ${detail}; ` +
    `the nearest objective that can is ${nearestMs} ms`
  );
}
