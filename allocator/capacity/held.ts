import type { PlannedPool } from './pack.ts';
import type { Demand } from './demand.ts';
import { madeOf } from './settle.ts';
import { termsOf, type DeviceClass } from './supply.ts';
import { RATE_LEAST_HZ, unitOf, workOn, type Unit } from './unit.ts';
import type { CapacityHost, CapacityPlan, PrefixGroup, SessionDemand } from './workload.ts';

type Entry = CapacityHost['sessions'][number];

/** A unit, or a part of its rate, where the previous plan has it. */
export interface HeldPart {
  readonly unit: Unit;
  readonly held: Held;
  /** Over all hosts: by the previous plan, as its hosts were last sized for, and now. */
  readonly thenHz: number;
  readonly sizedHz: number;
  rateHz: number;
}

/** Hosts of the previous plan that share their queues, or one host, with what is still asked for. */
export interface Held {
  readonly name: string;
  readonly from: DeviceClass;
  readonly hosts: readonly CapacityHost[];
  readonly parts: HeldPart[];
  /** Some of its hosts are no longer on offer, or some of its sessions no longer asked for. */
  readonly lost: boolean;
  /** Nothing that matters to it changed, so neither does it; its parts aren't listed. */
  readonly same: PlannedPool | undefined;
}

export interface Frame {
  readonly held: readonly Held[];
  readonly parts: ReadonlyMap<Unit, readonly HeldPart[]>;
  /** Sessions that have no place. */
  readonly loose: readonly SessionDemand[];
}

/**
 * What of the previous plan still stands: hosts that are on offer, with the sessions that are asked for. A changed
 * rate is spread over the parts of a session in proportion. O(sessions).
 * @param known the previous plan was made with the same curves and rules: a pool of which nothing changed is as it would
 * come out again
 */
export function frameOf(demand: Demand, previous: CapacityPlan, known: boolean): Frame {
  const reader = new Reader(demand, known);
  const pools = new Map<string, CapacityHost[]>();
  for (const host of previous.hosts) {
    const pool = pools.get(host.pool);
    if (pool) pool.push(host);
    else pools.set(host.pool, [host]);
  }
  const held: Held[] = [];
  for (const [name, hosts] of pools) {
    const one = reader.held(name, hosts);
    if (one) held.push(one);
  }
  const parts = new Map<Unit, HeldPart[]>();
  for (const part of held.flatMap(one => one.parts)) {
    const own = parts.get(part.unit);
    if (own) own.push(part);
    else parts.set(part.unit, [part]);
  }
  for (const [unit, own] of parts) inProportion(unit, own);
  return { held, parts, loose: demand.sessions.filter(session => !reader.unitBySession.has(session.name)) };
}

/** Rate of now over the rate that its hosts were sized for. */
export function growthOf(unit: Unit, parts: readonly HeldPart[]): number {
  const sized = parts.reduce((sum, part) => sum + part.sizedHz, 0);
  return Math.max(unit.rateHz, RATE_LEAST_HZ) / Math.max(sized, RATE_LEAST_HZ);
}

function inProportion(unit: Unit, parts: readonly HeldPart[]): void {
  const then = parts.reduce((sum, part) => sum + part.thenHz, 0);
  const hosts = parts.reduce((sum, part) => sum + part.held.hosts.length, 0);
  for (const part of parts) {
    const share = then > RATE_LEAST_HZ ? part.thenHz / then : part.held.hosts.length / hosts;
    part.rateHz = unit.rateHz * share;
  }
}

/** All of the change to the part with most hosts, then to the smallest: the one that isn't full. */
export function toTheRoomiest(unit: Unit, parts: readonly HeldPart[]): void {
  let change = unit.rateHz - parts.reduce((sum, part) => sum + part.thenHz, 0);
  const order = parts.toSorted(
    (a, b) => b.held.hosts.length - a.held.hosts.length || a.thenHz - b.thenHz || (a.held.name < b.held.name ? -1 : 1),
  );
  for (const part of order) {
    const by = Math.max(change, -part.thenHz);
    part.rateHz = part.thenHz + by;
    change -= by;
  }
}

class Reader {
  readonly unitBySession = new Map<string, Unit>();
  private readonly demand: Demand;
  private readonly sessions: ReadonlyMap<string, SessionDemand>;
  private readonly groupOf: ReadonlyMap<string, PrefixGroup>;
  private readonly classes: ReadonlyMap<string, DeviceClass>;
  private readonly left = new Map<string, number>();

  private readonly known: boolean;

  constructor(demand: Demand, known: boolean) {
    this.demand = demand;
    this.known = known;
    this.sessions = new Map(demand.sessions.map(session => [session.name, session]));
    this.groupOf = new Map(
      demand.workload.prefixes.flatMap(group => group.members.map(member => [`${group.prefix} ${member}`, group])),
    );
    this.classes = new Map(demand.classes.map(from => [`${from.kind} ${from.memoryBytes}`, from]));
    for (const offer of demand.workload.devices) {
      this.left.set(termsOf(offer), (this.left.get(termsOf(offer)) ?? 0) + Math.floor(offer.count));
    }
  }

  held(name: string, all: readonly CapacityHost[]): Held | undefined {
    const { kind, memoryBytes, sessions } = all[0]!;
    const from = this.classes.get(`${kind} ${memoryBytes}`);
    const hosts = all.filter(host => host.kind === kind && host.memoryBytes === memoryBytes && this.take(host));
    if (!from || hosts.length === 0) return undefined;
    const same = hosts.length === all.length ? this.unchanged(hosts, from) : undefined;
    if (same) return { name, from, hosts, parts: [], lost: false, same };
    const streams = new Map<string, Entry[]>();
    for (const entry of sessions) {
      const key = entry.prefix === undefined ? entry.name : `p ${entry.prefix} ${entry.prefixBatch}`;
      const own = streams.get(key);
      if (own) own.push(entry);
      else streams.set(key, [entry]);
    }
    const parts: HeldPart[] = [];
    const held = { name, from, hosts, parts, lost: hosts.length < all.length, same };
    for (const entries of streams.values()) {
      const unit = this.unit(entries, kind);
      if (!unit) held.lost = true;
      else {
        const thenHz = hosts.length * entries.reduce((sum, entry) => sum + entry.rateHz, 0);
        const sizedHz = hosts.length * entries.reduce((sum, entry) => sum + (entry.sizedHz ?? entry.rateHz), 0);
        parts.push({ unit, held, thenHz, sizedHz, rateHz: 0 });
      }
    }
    return held;
  }

  /** Single devices are left out: their cycle, not their pool, is what is kept. */
  private unchanged(hosts: readonly CapacityHost[], from: DeviceClass): PlannedPool | undefined {
    const pool = this.known && hosts.length > 1 ? madeOf(hosts[0]!.sessions) : undefined;
    if (!pool || pool.hosts !== hosts.length) return undefined;
    for (const { unit, rateHz } of pool.parts) {
      const [member] = unit.members;
      const now = this.sessions.get(unit.name);
      const alike = now && !unit.group && rateHz === unit.rateHz && sameDemand(now, member!);
      if (!alike || this.unitBySession.has(unit.name)) return undefined;
    }
    for (const { unit } of pool.parts) this.unitBySession.set(unit.name, unit);
    return { ...pool, from };
  }

  private take(host: CapacityHost): boolean {
    const left = (this.left.get(termsOf(host)) ?? 0) - 1;
    if (left < 0) return false;
    this.left.set(termsOf(host), left);
    return true;
  }

  /** What these entries are a place of; undefined where that isn't asked for any more, or runs on other models. */
  private unit(entries: readonly Entry[], kind: string): Unit | undefined {
    const first = entries[0]!;
    const group = first.prefix === undefined ? undefined : this.groupOf.get(`${first.prefix} ${first.name}`);
    if (first.prefix !== undefined && !group) return undefined;
    const known = this.unitBySession.get(first.name);
    if (known) return known.members.length === entries.length && known.group === group ? known : undefined;
    const members: SessionDemand[] = [];
    for (const { name, model } of entries) {
      const session = this.sessions.get(name);
      if (!session || model !== (group?.suffixes.get(name) ?? session.model)) return undefined;
      if (this.unitBySession.has(name) || (group && !group.members.includes(name))) return undefined;
      members.push(session);
    }
    const unit = unitOf(members, group);
    if (!workOn(unit, kind, this.demand.workload.curves)) return undefined;
    for (const member of members) this.unitBySession.set(member.name, unit);
    return unit;
  }
}

const sameDemand = (a: SessionDemand, b: SessionDemand): boolean =>
  a === b ||
  (a.model === b.model &&
    a.sloMs === b.sloMs &&
    a.rateHz === b.rateHz &&
    a.rateVariation === b.rateVariation &&
    a.replicasMin === b.replicasMin);
