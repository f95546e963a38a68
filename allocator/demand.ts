import { ConfigError, DEFAULT_TENANT, type Cut, type Plan, type QueryDocument } from '../contracts/index.ts';
import { compareText } from './packing.ts';
import {
  analyseQuery,
  costOfShares,
  leastShareMs,
  longestPath,
  splitEvenly,
  tooShort,
  topDown,
  type BatchRule,
  type ModelStage,
  type StageDevices,
} from './query/index.ts';

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
  /** What they need at least. */
  readonly reserveMinMs: number;
  readonly prefer: 'latency' | 'consolidation';
  readonly priority: number;
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
  /** Where it can be cut. */
  readonly cuts?: readonly Cut[];
}

export interface StageKey {
  readonly tenant: string;
  readonly query: string;
  readonly stage: string;
}

interface DemandFacts extends Pick<DemandView, 'models' | 'rateHz'> {
  readonly queries: readonly QueryDocument[];
}

export interface DemandView {
  readonly models: ReadonlyMap<string, ModelFacts>;
  /** Measured invocations per second; undefined: not measured yet. */
  readonly rateHz: (key: StageKey) => number | undefined;
  /** What stages can run on, by model id. */
  readonly devices: Omit<StageDevices, 'rule'>;
  /** Why a model can run on none of them; undefined: it can. */
  readonly whyNot: (model: string) => string | undefined;
  /** The policy's rules: there is a split for each. */
  readonly rules: readonly BatchRule[];
  /** All stages of a path get the same share, whatever that costs. */
  readonly even: boolean;
  readonly current: Plan | undefined;
}

/**
 * Nobody plans for nothing: a stage that saw no traffic keeps room for an invocation every ten seconds (Nexus's
 * floor).
 */
const RATE_FLOOR_HZ = 0.1;
/** A split stays while no other one is cheaper by more than this: rates that wobble must not move budgets. */
const SPLIT_GAIN_MIN = 0.05;

export const tenantOf = (query: QueryDocument): string => query.tenant ?? DEFAULT_TENANT;

/** The sessions of one query, once for each rule of the policy, or why it can't be planned. */
export function sessionsOf(query: QueryDocument, view: DemandView): readonly (readonly Session[])[] | Refusal {
  const tenant = tenantOf(query);
  const refuse = (reason: string): Refusal => ({ tenant, query: query.name, reason });
  try {
    const stages = stagesOf(query, view);
    if (typeof stages === 'string') return refuse(stages);
    if (view.even) return evenSessions(query, stages, view);
    const splits = view.rules.map(rule => {
      const devices = { ...view.devices, rule };
      const split = analyseQuery(stages, query.objectiveMs, devices);
      return split && { split, devices };
    });
    const best = splits.filter(found => found !== undefined);
    if (best.length < splits.length) return refuse(whyTooShort(query.objectiveMs, stages, view));
    const now = sharesNow(query, stages, view.current);
    const stays = best.some(
      ({ split, devices }) => now && costOfShares(stages, now, devices) <= (1 + SPLIT_GAIN_MIN) * split.cost,
    );
    return best.map(({ split }) => sessionsWith(query, stages, stays ? now! : split.shareMs, view));
  } catch (error) {
    // Stages that read what isn't there, or each other in a circle, or too entangled to split.
    if (error instanceof ConfigError) return refuse(error.message);
    throw error;
  }
}

function evenSessions(
  query: QueryDocument,
  stages: readonly ModelStage[],
  view: DemandView,
): readonly (readonly Session[])[] | Refusal {
  const shareMs = splitEvenly(stages, query.objectiveMs);
  const devices = { ...view.devices, rule: view.rules[0]! };
  const short = stages.find(stage => costOfShares([{ ...stage, from: [] }], shareMs, devices) === Infinity);
  if (!short) return view.rules.map(() => sessionsWith(query, stages, shareMs, view));
  const ms = shareMs.get(short.name)!.toFixed(1);
  const reason = `stage ${short.name} can't be done in ${ms} ms, its even share of ${query.objectiveMs} ms`;
  return { tenant: tenantOf(query), query: query.name, reason };
}

/** Each after those that it reads; or which one can't run. @throws ConfigError */
function stagesOf(query: QueryDocument, view: DemandView): ModelStage[] | string {
  const stages: ModelStage[] = [];
  for (const { name, from, model, rateHz } of ratedStages(query, view.rateHz)) {
    const facts = view.models.get(model);
    if (!facts) return `stage ${name}: model ${model} is not applied; apply its document`;
    const whyNot = view.whyNot(facts.id);
    if (whyNot !== undefined) return `stage ${name}: ${whyNot}`;
    stages.push({ name, from, model: facts.id, rateHz });
  }
  return stages;
}

/**
 * Each stage after those that it reads, with the name of its model and its rate: measured where there is enough data, else declared, rateHz of the
 * query times the fan-outs on the way. @throws ConfigError
 */
function ratedStages(query: QueryDocument, rateHzOf: DemandView['rateHz']): ModelStage[] {
  const names = Object.keys(query.stages).toSorted(compareText);
  const order = topDown(
    names.map(name => {
      const { from } = query.stages[name]!;
      return { name, from: from === undefined ? [] : [from] };
    }),
  );
  const rates = new Map<string, number>();
  return order.map(({ name, from }) => {
    const { model, fanout = 1 } = query.stages[name]!;
    const arrive = from.reduce((sum, parent) => sum + fanout * rates.get(parent)!, 0);
    const declared = from.length === 0 ? (query.rateHz ?? 1) : arrive;
    const measured = rateHzOf({ tenant: tenantOf(query), query: query.name, stage: name });
    const rateHz = Math.max(RATE_FLOOR_HZ, measured ?? declared);
    rates.set(name, rateHz);
    return { name, from, model, rateHz };
  });
}

/** Invocations per second by model id, over all queries that can be planned. */
export function modelRates({ queries, models, rateHz }: DemandFacts): Map<string, number> {
  const rates = new Map<string, number>();
  for (const query of queries) {
    try {
      for (const stage of ratedStages(query, rateHz)) {
        const id = models.get(stage.model)?.id;
        if (id !== undefined) rates.set(id, (rates.get(id) ?? 0) + stage.rateHz);
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error; // it will be refused with that
    }
  }
  return rates;
}

/** The split in force, if it is one of these stages and this objective. */
function sharesNow(
  query: QueryDocument,
  stages: readonly ModelStage[],
  current: Plan | undefined,
): ReadonlyMap<string, number> | undefined {
  const planned = current?.queries.find(q => q.query === query.name && q.tenant === tenantOf(query));
  if (!planned || planned.stages.length !== stages.length) return undefined;
  const shareMs = new Map(planned.stages.map(({ stage, budgetMs }) => [stage, budgetMs]));
  if (!stages.every(({ name }) => shareMs.has(name))) return undefined;
  const pathMs = longestPath(stages, name => shareMs.get(name)!);
  return Math.abs(pathMs - query.objectiveMs) <= 1e-6 * query.objectiveMs ? shareMs : undefined;
}

function sessionsWith(
  query: QueryDocument,
  stages: readonly ModelStage[],
  shareMs: ReadonlyMap<string, number>,
  { devices: { kinds, curves, networkMs } }: DemandView,
): Session[] {
  const tenant = tenantOf(query);
  const reserveMs = reserves(stages, ({ name }) => shareMs.get(name)!);
  // An input that just misses a run waits for it and for its own.
  const reserveMinMs = reserves(stages, ({ name, model }) =>
    Math.min(shareMs.get(name)!, leastShareMs({ model, networkMs }, kinds, curves, 'independent')),
  );
  return stages.map(({ name, model, rateHz }) => ({
    name: `${tenant}.${query.name}.${name}`,
    tenant,
    query: query.name,
    stage: name,
    model,
    rateHz,
    budgetMs: shareMs.get(name)!,
    reserveMs: reserveMs.get(name)!,
    reserveMinMs: reserveMinMs.get(name)!,
    prefer: query.prefer ?? 'latency',
    priority: query.priority ?? 0,
  }));
}

/** For each stage the longest sum of what those behind it take. */
function reserves(stages: readonly ModelStage[], msOf: (stage: ModelStage) => number): Map<string, number> {
  const reserve = new Map<string, number>(stages.map(stage => [stage.name, 0]));
  for (const stage of stages.toReversed()) {
    const path = msOf(stage) + reserve.get(stage.name)!;
    for (const parent of stage.from) reserve.set(parent, Math.max(reserve.get(parent)!, path));
  }
  return reserve;
}

function whyTooShort(objectiveMs: number, stages: readonly ModelStage[], view: DemandView): string {
  // Twice the smallest batch: an input that just misses a run waits for it and for its own.
  const { leastMs, nearestMs } = tooShort(stages, { ...view.devices, rule: 'independent' });
  const detail = [...leastMs].map(([name, ms]) => `${name} ${Math.ceil(ms)} ms`).join(', ');
  return (
    `the objective of ${objectiveMs} ms can't be met: the stages need ${detail}; ` +
    (nearestMs === undefined ? 'no objective can' : `the nearest objective that can is ${nearestMs} ms`)
  );
}
