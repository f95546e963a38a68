import { DEFAULT_TENANT } from '../contracts/index.ts';
import type { SessionDemand } from './capacity/index.ts';
import { compareText } from './packing.ts';

/** What is known of a session before it is planned. */
interface Asked {
  readonly name: string;
  readonly model: string;
  readonly budgetMs: number;
  readonly rateHz: number;
}

/** Sessions of one model whose budgets differ by less are planned as one, with the least of them. */
const BUDGET_SPREAD = 0.1;

/**
 * The batcher mixes all inputs of a model, so a hundred slow sessions are one fast one: planned apart, none would ever fill a batch.
 * Who goes without is decided before, over whole queries.
 */
export const jointDemands = (sessions: readonly Asked[], networkMs: number): SessionDemand[] =>
  joined(sessions).map(({ name, model, budgetMs, rateHz }) => ({
    name,
    model,
    tenant: DEFAULT_TENANT,
    query: undefined,
    // What the network takes is spent before and after the session's own time.
    sloMs: budgetMs - networkMs,
    rateHz,
    rateVariation: 0,
    priority: 0,
    replicasMin: 1,
  }));

/** By name of a joint demand the names of its sessions. */
export const membersOf = (sessions: readonly Asked[]): ReadonlyMap<string, readonly string[]> =>
  new Map(joined(sessions).map(({ name, of }) => [name, of]));

function joined(sessions: readonly Asked[]) {
  const joint: { model: string; budgetMs: number; rateHz: number; of: string[] }[] = [];
  for (const { name, model, budgetMs, rateHz } of sessions.toSorted(byModelThenBudget)) {
    const last = joint.at(-1);
    if (last?.model === model && budgetMs <= last.budgetMs * (1 + BUDGET_SPREAD)) {
      last.rateHz += rateHz;
      last.of.push(name);
    } else joint.push({ model, budgetMs, rateHz, of: [name] });
  }
  return joint.map(one => ({ ...one, name: `${one.model} within ${one.budgetMs} ms` }));
}

const byModelThenBudget = (a: Asked, b: Asked): number =>
  compareText(a.model, b.model) || a.budgetMs - b.budgetMs || a.rateHz - b.rateHz;
