import type { Draft } from './planner.ts';

/** Figures that differ by less mean the same plan: rates that wobble move them a little. */
const TOLERANCE = 0.1;

/**
 * Whether two plans would have everybody do the same: hosts, models, pools, sessions and refusals are equal, budgets
 * nearly so. Rates may differ: they are why a plan was made, not what it says to do.
 */
export function samePlan(a: Draft, b: Draft): boolean {
  return shape(a) === shape(b) && areNear(budgets(a), budgets(b)) && areNear(cuts(a), cuts(b));
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

/** What hosts that share no queues take of each session: that hosts share them is how a pool follows its rates by itself. */
const cuts = ({ policy, capacity = [] }: Draft): number[] =>
  policy === 'pooled'
    ? []
    : capacity.flatMap(({ sessions }) => sessions.flatMap(({ batch, rateHz }) => [batch, rateHz]));

const areNear = (some: readonly number[], others: readonly number[]): boolean =>
  some.length === others.length &&
  some.every((one, i) => Math.abs(one - others[i]!) <= TOLERANCE * Math.max(one, others[i]!));
