import type { Draft } from './planner.ts';

/** Budgets that differ by less mean the same plan: rates that wobble move them a little. */
const BUDGET_TOLERANCE = 0.1;

/**
 * Whether two plans would have everybody do the same: hosts, models, pools, sessions and refusals are equal, budgets
 * nearly so. Rates may differ: they are why a plan was made, not what it says to do.
 */
export function samePlan(a: Draft, b: Draft): boolean {
  return shape(a) === shape(b) && sameBudgets(a, b);
}

const shape = (plan: Draft): string =>
  JSON.stringify([
    plan.policy,
    plan.pools,
    plan.hosts.map(host => [host.host, host.kind, host.models]),
    plan.sessions.map(session => [session.name, session.model, session.prefer]),
    plan.queries.map(query => [query.tenant, query.query, query.stages.map(s => [s.stage, s.session, s.pool])]),
    plan.refused,
    plan.profiles,
  ]);

const budgets = (plan: Draft): number[] => plan.queries.flatMap(q => q.stages.flatMap(s => [s.budgetMs, s.reserveMs]));

function sameBudgets(a: Draft, b: Draft): boolean {
  const other = budgets(b);
  return budgets(a).every((ms, i) => Math.abs(ms - other[i]!) <= BUDGET_TOLERANCE * Math.max(ms, other[i]!));
}
