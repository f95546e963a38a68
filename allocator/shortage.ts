import { admit, inOrder, itemsOf, type CapacityPlan, type SessionDemand } from './capacity/index.ts';
import type { Refusal, Session } from './demand.ts';

/** Sessions of one query. */
export type Ask = readonly Session[];

/** Which part of a session's rate capacity is planned for, 0..1. */
export type Share = (session: Session) => number;

export interface Served {
  readonly plan: CapacityPlan | undefined;
  readonly served: readonly Ask[];
  /** Without a place by the rules, even at hardly any rate: to be put where memory is. In order. */
  readonly homeless: readonly Ask[];
  readonly refused: readonly Refusal[];
  readonly shareOf: Share;
}

/** A plan for these sessions with these parts of their rates; undefined: the hosts do not suffice. */
export type Attempt = (sessions: readonly Session[], shareOf: Share) => CapacityPlan | undefined;

const whole: Share = () => 1;
const hardlyAny: Share = () => 0;
/** Halvings in the search for what can be served: to 1/256 of what is asked. */
const STEPS = 8;

/**
 * Who gets what when the hosts do not suffice for all. Of the queries with the highest priority all are served, degraded if it must be: each
 * tenant gets the same part of the hosts, less where it asks for less. Lower ones are served whole or not at all, since what overloads a
 * host harms all that it serves: higher priority first, and within one the tenant with least so far.
 * @param costOf devices that a session takes, about
 */
export function serveWhatCan(asks: readonly Ask[], attempt: Attempt, costOf: (session: Session) => number): Served {
  const top = Math.max(...asks.map(priorityOf));
  const first = asks.filter(ask => priorityOf(ask) === top);
  const later = asks.filter(ask => priorityOf(ask) !== top);
  if (!attempt(first.flat(), whole)) {
    return { ...degrade(first, attempt, costOf), refused: later.map(ask => refusal(ask, top)) };
  }
  const chosen = choose(later, costOf, more => attempt([...first.flat(), ...more], whole));
  const served = [...first, ...chosen.served];
  const least = Math.min(...served.map(priorityOf));
  const refused = chosen.rest.map(ask => refusal(ask, Math.max(least, priorityOf(ask))));
  return { plan: chosen.plan, served, homeless: [], refused, shareOf: whole };
}

function degrade(
  asks: readonly Ask[],
  attempt: Attempt,
  costOf: (session: Session) => number,
): Omit<Served, 'refused'> {
  const { plan, served, rest } = choose(asks, costOf, sessions => attempt(sessions, hardlyAny));
  const costs = new Map<string, number>();
  for (const session of served.flat()) {
    costs.set(session.tenant, (costs.get(session.tenant) ?? 0) + costOf(session));
  }
  const most = Math.max(0, ...costs.values());
  let best = { plan, shareOf: hardlyAny };
  for (let [low, high, step] = [0, 1, 0]; step < STEPS; step++) {
    const middle = (low + high) / 2;
    const shareOf: Share = ({ tenant }) => Math.min(1, (middle * most) / (costs.get(tenant) || most));
    const found = attempt(served.flat(), shareOf);
    if (found) {
      best = { plan: found, shareOf };
      low = middle;
    } else high = middle;
  }
  return { ...best, served, homeless: rest };
}

/** The most queries in the order in which scarce capacity is given out. */
function choose(
  asks: readonly Ask[],
  costOf: (session: Session) => number,
  attempt: (sessions: readonly Session[]) => CapacityPlan | undefined,
): { plan: CapacityPlan | undefined; served: Ask[]; rest: Ask[] } {
  const byName = new Map(asks.flat().map(session => [session.name, session]));
  const sessionOf = ({ name }: SessionDemand): Session => byName.get(name)!;
  const all = attempt(asks.flat());
  if (all) return { plan: all, served: [...asks], rest: [] };
  const items = itemsOf(asks.flat().map(demandOf), demand => costOf(sessionOf(demand)));
  const order = inOrder(items);
  const { plan, served } = admit(order, demands => attempt(demands.map(sessionOf)));
  const asksOf = (some: typeof items): Ask[] => some.map(item => item.sessions.map(sessionOf));
  return { plan, served: asksOf(served), rest: asksOf(order.filter(item => !served.includes(item))) };
}

const demandOf = ({ name, model, tenant, query, rateHz, budgetMs, priority }: Session): SessionDemand => {
  return { name, model, tenant, query, rateHz, sloMs: budgetMs, priority, rateVariation: 0, replicasMin: 1 };
};

const priorityOf = (ask: Ask): number => ask[0]!.priority;

function refusal(ask: Ask, needed: number): Refusal {
  const { tenant, query, priority } = ask[0]!;
  const who = needed > priority ? `of priority ${needed} and more` : `of priority ${priority} before it in turn`;
  return {
    tenant,
    query,
    reason: `the hosts do not suffice: queries ${who} need them; add hosts or raise its priority`,
  };
}
