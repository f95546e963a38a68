import { canServe, compareText } from '../packing.ts';
import { choicesOf, type Choice } from './kinds.ts';
import { refusal } from './refuse.ts';
import { classesOf, type DeviceClass } from './supply.ts';
import { sane, unitOf, unitsOf, type Unit } from './unit.ts';
import type { RefusedSession, SessionDemand, Workload } from './workload.ts';

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
      if (grouped.has(session.name) || this.canRun(session)) return true;
      impossible.push(refusal(unitOf([session], undefined), this.classes, workload));
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

  /** Whether some device could serve it alone: whether there are choices, without making them. */
  private canRun({ name, model, sloMs, rateHz }: SessionDemand): boolean {
    return this.classes.some(({ kind, memoryBytes }) => {
      const curve = this.workload.curves.find(model, kind);
      return curve && canServe({ name, rateHz, deviceMs: sloMs - curve.aroundMs, curve }, memoryBytes);
    });
  }

  costOf(session: SessionDemand): number {
    return this.choicesOf(unitOf([session], undefined))[0]?.costPerHour ?? 0;
  }
}

/** A query with a stage that is refused is refused: for the first one by name, in whatever order they came. */
function wholeQueries(
  possible: readonly SessionDemand[],
  all: readonly SessionDemand[],
  refused: ReadonlySet<string>,
): { kept: readonly SessionDemand[]; dropped: RefusedSession[] } {
  if (refused.size === 0) return { kept: possible, dropped: [] };
  const broken = new Map<string, string>();
  for (const { name, query, tenant } of all) {
    if (query === undefined || !refused.has(name)) continue;
    const key = `${tenant} ${query}`;
    const other = broken.get(key);
    if (other === undefined || compareText(name, other) < 0) broken.set(key, name);
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
