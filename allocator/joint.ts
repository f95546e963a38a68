import { DEFAULT_TENANT } from '../contracts/index.ts';
import type { SessionDemand } from './capacity/index.ts';
import { compareText } from './packing.ts';

/** What is known of a session both before it is planned and from the plan in force. */
interface Asked {
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
export function jointDemands(sessions: readonly Asked[], networkMs: number): SessionDemand[] {
  const joint: { model: string; budgetMs: number; rateHz: number }[] = [];
  for (const { model, budgetMs, rateHz } of sessions.toSorted(byModelThenBudget)) {
    const last = joint.at(-1);
    if (last?.model === model && budgetMs <= last.budgetMs * (1 + BUDGET_SPREAD)) last.rateHz += rateHz;
    else joint.push({ model, budgetMs, rateHz });
  }
  return joint.map(({ model, budgetMs, rateHz }) => ({
    name: `${model} within ${budgetMs} ms`,
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
}

const byModelThenBudget = (a: Asked, b: Asked): number =>
  compareText(a.model, b.model) || a.budgetMs - b.budgetMs || a.rateHz - b.rateHz;
