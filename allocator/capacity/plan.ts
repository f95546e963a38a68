import { compareText } from '../packing.ts';
import { admit, inOrder, itemsOf } from './admit.ts';
import { lowerBound } from './bound.ts';
import { anchored, assignments, choicesOf, suitable, type Assignment, type Choice } from './kinds.ts';
import type { Packer } from './pack.ts';
import { place, type Placement } from './place.ts';
import { refusal } from './refuse.ts';
import { nearestObjectives } from './short.ts';
import { settle } from './settle.ts';
import { classesOf, hasFirm, leastPriceOf, type DeviceClass } from './supply.ts';
import { sane, unitOf, unitsOf, type Unit } from './unit.ts';
import type { CapacityHost, CapacityPlan, RefusedSession, SessionDemand, Workload } from './workload.ts';

/** What all policies share: who can be served at all, on which devices, and who goes without where these are short. */
export class Demand {
  readonly workload: Workload;
  readonly classes: readonly DeviceClass[];
  /** Sessions that some device can serve; stages of a query that can't be served whole are not among them. */
  readonly sessions: readonly SessionDemand[];
  readonly refused: readonly RefusedSession[];
  private readonly choices = new Map<string, Choice[]>();

  constructor(workload: Workload) {
    this.workload = workload;
    this.classes = classesOf(workload.devices);
    const { sessions, refused } = sane(workload);
    // In whatever order they are written, sums and ties come out the same.
    sessions.sort((a, b) => compareText(a.name, b.name));
    const impossible = [...refused];
    const grouped = new Set(
      workload.prefixes.length === 0
        ? []
        : this.units(sessions).flatMap(unit => (unit.group ? unit.members.map(m => m.name) : [])),
    );
    const possible = sessions.filter(session => {
      if (grouped.has(session.name)) return true;
      const unit = unitOf([session], undefined);
      if (this.choicesOf(unit).length > 0) return true;
      impossible.push(refusal(unit, this.classes, workload));
      return false;
    });
    const { kept, dropped } = wholeQueries(possible, workload.sessions, new Set(impossible.map(r => r.session)));
    this.sessions = kept;
    this.refused = [...impossible, ...dropped];
  }

  choicesOf(unit: Unit): Choice[] {
    // The same sessions are tried with other objectives too.
    const key = `${unit.name} ${unit.sloMs}`;
    let known = this.choices.get(key);
    if (!known) this.choices.set(key, (known = choicesOf(unit, this.classes, this.workload)));
    return known;
  }

  /**
   * Prefix groups are one unit where that can be served and, unless it is said how, where its requests cost no more than
   * those of its members apart.
   */
  units(sessions: readonly SessionDemand[], how?: 'together' | 'apart'): Unit[] {
    return unitsOf(sessions, this.workload.prefixes, (group, members) => {
      const together = choicesOf(unitOf(members, group), this.classes, this.workload)[0];
      if (!together || how !== undefined) return together !== undefined && how === 'together';
      const apart = members.map(member => this.choicesOf(unitOf([member], undefined))[0]?.costPerHour ?? Infinity);
      return together.costPerHour <= apart.reduce((sum, cost) => sum + cost, 0);
    });
  }

  costOf(session: SessionDemand): number {
    return this.choicesOf(unitOf([session], undefined))[0]?.costPerHour ?? 0;
  }
}

/** A query with a stage that is refused is refused. */
function wholeQueries(
  possible: readonly SessionDemand[],
  all: readonly SessionDemand[],
  refused: ReadonlySet<string>,
): { kept: SessionDemand[]; dropped: RefusedSession[] } {
  const broken = new Map<string, string>();
  for (const { name, query, tenant } of all) {
    if (query !== undefined && refused.has(name)) broken.set(`${tenant} ${query}`, name);
  }
  const kept: SessionDemand[] = [];
  const dropped: RefusedSession[] = [];
  for (const session of possible) {
    const why = session.query === undefined ? undefined : broken.get(`${session.tenant} ${session.query}`);
    if (why === undefined) kept.push(session);
    else {
      const reason = `its query ${session.query} can't be served without ${why}`;
      dropped.push({ session: session.name, reason, nearestSloMs: undefined });
    }
  }
  return { kept, dropped };
}

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

/** The plan with its cost, its bound and its notes. */
export function finished(policy: string, demand: Demand, made: Made, notes: readonly string[]): CapacityPlan {
  const { hosts } = made;
  const served = new Set(demand.sessions.map(session => session.name));
  for (const { session } of made.refused) served.delete(session);
  return {
    policy,
    gpus: hosts.length,
    costPerHour: hosts.reduce((sum, host) => sum + host.pricePerHour, 0),
    bound: lowerBound(demand.workload, served),
    hosts,
    refused: made.refused.toSorted((a, b) => compareText(a.session, b.session)),
    notes: [...curveNotes(demand), ...degraded(demand, hosts), ...(made.notes ?? []), ...notes],
  };
}

function curveNotes({ workload, classes, sessions }: Demand): string[] {
  const notes = new Set<string>();
  for (const session of sessions) {
    for (const from of classes) {
      const note = workload.curves.find(session.model, from.kind)?.note;
      if (note !== undefined) notes.add(note);
    }
  }
  return [...notes].sort(compareText);
}

/** Copies that had to go to one zone, or to devices that may all be revoked. */
function degraded({ sessions }: Demand, hosts: readonly CapacityHost[]): string[] {
  if (!hosts.some(host => host.revocable) && sessions.every(session => session.replicasMin <= 1)) return [];
  const zones = new Map<string, Set<string>>();
  const firm = new Set<string>();
  for (const host of hosts) {
    for (const { name } of host.sessions) {
      const own = zones.get(name);
      if (own) own.add(host.zone);
      else zones.set(name, new Set([host.zone]));
      if (!host.revocable) firm.add(name);
    }
  }
  return sessions.flatMap(({ name, replicasMin }) => {
    const own = zones.get(name);
    if (!own) return [];
    const notes: string[] = [];
    if (own.size < replicasMin) notes.push(`${name}: ${replicasMin} copies in ${own.size} zone(s), no more are left`);
    if (!firm.has(name)) notes.push(`${name}: all its devices can be revoked, no others are left`);
    return notes;
  });
}
