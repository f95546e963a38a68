import { admit, inOrder, itemsOf } from './admit.ts';
import type { Demand } from './demand.ts';
import { anchored, assignments, suitable, type Assignment, type Choice } from './kinds.ts';
import type { Packer } from './pack.ts';
import { place, type Placement } from './place.ts';
import { settle } from './settle.ts';
import { nearestObjectives } from './short.ts';
import { hasFirm, leastPriceOf } from './supply.ts';
import type { Unit } from './unit.ts';
import type { CapacityHost, CapacityPlan, RefusedSession, SessionDemand } from './workload.ts';

/** The cheapest way of these packers to serve the sessions with what is on offer; undefined: it does not suffice. */
export function cheapest(
  demand: Demand,
  sessions: readonly SessionDemand[],
  packers: readonly Packer[],
  previous: CapacityPlan | undefined,
): CapacityHost[] | undefined {
  let found: Placement | undefined;
  // What a group saves in memory shows in whole devices alone.
  const ways = demand.workload.prefixes.length === 0 ? [undefined] : ([undefined, 'together', 'apart'] as const);
  for (const how of ways) found = better(found, cheapestFor(demand, demand.units(sessions, how), packers));
  return found && settle(found, previous);
}

function cheapestFor(demand: Demand, units: readonly Unit[], packers: readonly Packer[]): Placement | undefined {
  // A member of a prefix group may have no place without the others.
  if (units.some(unit => demand.choicesOf(unit).length === 0)) return undefined;
  const best = units.map(unit => suitable(unit, demand.choicesOf(unit)));
  const scarce = units.map(unit => suitable(unit, demand.choicesOf(unit), true));
  const apart = anchored(units.map(unit => demand.choicesOf(unit)));
  let found = cheapestOf(best, apart ? [apart] : [], packers);
  const more = scarce.some((each, i) => each.length > best[i]!.length);
  if (more && (!found || found.exposed > 0)) found = better(found, cheapestOf(scarce, [], packers));
  return found;
}

function cheapestOf(
  choices: readonly (readonly Choice[])[],
  more: readonly Assignment[],
  packers: readonly Packer[],
): Placement | undefined {
  const bare = choices.filter(each => !each.some(choice => hasFirm(choice.from)));
  const exposedLeast = bare.reduce((sum, each) => sum + each[0]!.work.unit.members.length, 0);
  let best: Placement | undefined;
  for (const packer of packers) {
    for (const given of [...assignments(choices), ...more]) {
      const leastPrice = (): number =>
        [...given].reduce((sum, [from, works]) => sum + leastPriceOf(from, packer.least(works, from)), 0);
      if (best && best.exposed <= exposedLeast && leastPrice() >= best.pricePerHour - 1e-9) continue;
      best = better(best, place([...given].flatMap(([from, works]) => packer.pack(works, from))));
    }
  }
  return best;
}

/** Fewer sessions without a firm device, then the lower price; the first of equal ones. */
function better(a: Placement | undefined, b: Placement | undefined): Placement | undefined {
  if (!a || !b) return a ?? b;
  if (a.exposed !== b.exposed) return a.exposed < b.exposed ? a : b;
  return b.pricePerHour < a.pricePerHour - 1e-9 ? b : a;
}

/** Who is served where, and who isn't. */
export interface Made {
  readonly hosts: CapacityHost[];
  readonly refused: readonly RefusedSession[];
  /** Sentences for people. */
  readonly notes?: readonly string[];
}

/** Serves whom it can, most urgent first; says who is refused, and why. */
export function serve(demand: Demand, build: (sessions: readonly SessionDemand[]) => CapacityHost[] | undefined): Made {
  const all = build(demand.sessions);
  if (all) return { hosts: all, refused: [...demand.refused] };
  if (demand.workload.whole) {
    const reason = 'the devices do not suffice for all';
    const without = demand.sessions.map(
      ({ name }): RefusedSession => ({ session: name, reason, nearestSloMs: undefined }),
    );
    return { hosts: [], refused: [...demand.refused, ...without] };
  }
  const order = inOrder(itemsOf(demand.sessions, session => demand.costOf(session)));
  const { plan, served } = admit(order, build);
  const among = new Set(served);
  const without = order.filter(item => !among.has(item));
  const taken = served.flatMap(item => item.sessions);
  const { sloMs, sought } = nearestObjectives(demand, taken, without, sessions => build(sessions) !== undefined);
  const least = served.reduce((low, item) => Math.min(low, item.priority), Infinity);
  const refused = without.flatMap(item => {
    const who =
      item.priority < least
        ? `those of priority ${least} and more need them`
        : `those before it in the fair order need them (tenant ${item.tenant}, priority ${item.priority})`;
    const reason = `the devices do not suffice: ${who}`;
    return item.sessions.map(({ name }): RefusedSession => ({ session: name, reason, nearestSloMs: sloMs.get(name) }));
  });
  const notes =
    sought === without.length
      ? []
      : [`nearest objectives were sought for ${sought} of the ${without.length} that are refused for want of devices`];
  return { hosts: plan ?? [], refused: [...demand.refused, ...refused], notes };
}
