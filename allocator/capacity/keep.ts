import { memoryOf, pack, type Node } from '../packing.ts';
import { poolOfNode, poolOfShared, type PlannedPool } from './pack.ts';
import type { Demand } from './plan.ts';
import { entriesOf } from './settle.ts';
import { byUrgency, NO_HEADROOM, staggered } from './stagger.ts';
import { termsOf, type DeviceClass } from './supply.ts';
import { RATE_LEAST_HZ, unitOf, workOn, type Unit, type Work } from './unit.ts';
import type { CapacityHost, CapacityPlan, RefusedSession } from './workload.ts';

/** Within these shares of the planned rate nothing is planned anew while it can be served: Nexus's early trigger. */
const RATE_LOW = 0.8;
const RATE_HIGH = 1.1;

interface Part {
  readonly unit: Unit;
  readonly pool: string;
  readonly hosts: number;
  rateHz: number;
}

/**
 * The previous plan with the rates of now: the same sessions on the same hosts, batches and shares adapted, headroom used
 * up where it has to be. Undefined where a plan has to be made anew: sessions came or went, a rate left the range of
 * {@link RATE_LOW} to {@link RATE_HIGH}, a device is no longer on offer, or an objective, a cycle or the memory would
 * not be kept. O(sessions · log batch).
 */
export function keep(
  demand: Demand,
  previous: CapacityPlan,
): { hosts: CapacityHost[]; refused: RefusedSession[] } | undefined {
  const refused = sameSessions(demand, previous);
  if (!refused || !stillOffered(demand, previous)) return undefined;
  const pools = new Map<string, CapacityHost[]>();
  for (const host of previous.hosts) pools.set(host.pool, [...(pools.get(host.pool) ?? []), host]);
  const parts = partsOf(pools, demand);
  if (!parts || !atRatesOfNow(parts)) return undefined;
  const inPool = new Map<string, Part[]>();
  for (const part of parts) inPool.set(part.pool, [...(inPool.get(part.pool) ?? []), part]);
  const hosts: CapacityHost[] = [];
  for (const [name, members] of pools) {
    const first = members[0]!;
    const from = demand.classes.find(c => c.kind === first.kind && c.memoryBytes === first.memoryBytes);
    const pool = from && refitted(inPool.get(name) ?? [], members, from, demand);
    if (!pool) return undefined;
    const { occupancy, dutyMs } = pool;
    const sessions = entriesOf(pool);
    for (const host of members) hosts.push({ ...host, occupancy, dutyMs, sessions });
  }
  const order = new Map(previous.hosts.map((host, i) => [host.id, i]));
  return { hosts: hosts.sort((a, b) => order.get(a.id)! - order.get(b.id)!), refused };
}

/** Who was refused for want of devices, if who is served and who is refused would be the same; else undefined. */
function sameSessions(demand: Demand, previous: CapacityPlan): RefusedSession[] | undefined {
  const served = new Set(previous.hosts.flatMap(host => host.sessions.map(session => session.name)));
  const known = new Map(previous.refused.map(refusal => [refusal.session, refusal]));
  const refused: RefusedSession[] = [];
  let found = 0;
  for (const { name } of demand.sessions) {
    if (served.has(name)) found++;
    else if (known.has(name)) refused.push(known.get(name)!);
    else return undefined;
  }
  return found === served.size ? [...demand.refused, ...refused] : undefined;
}

function stillOffered(demand: Demand, previous: CapacityPlan): boolean {
  const left = new Map<string, number>();
  for (const offer of demand.workload.devices) {
    left.set(termsOf(offer), (left.get(termsOf(offer)) ?? 0) + Math.floor(offer.count));
  }
  return previous.hosts.every(host => {
    const now = (left.get(termsOf(host)) ?? 0) - 1;
    left.set(termsOf(host), now);
    return now >= 0;
  });
}

/** Each unit in each pool, with its rate of then. */
function partsOf(pools: ReadonlyMap<string, readonly CapacityHost[]>, demand: Demand): Part[] | undefined {
  const sessions = new Map(demand.sessions.map(session => [session.name, session]));
  const groupOf = new Map(
    demand.workload.prefixes.flatMap(group => group.members.map(member => [`${group.prefix} ${member}`, group])),
  );
  const parts: Part[] = [];
  const units = new Map<string, Unit>();
  for (const [pool, hosts] of pools) {
    const streams = new Map<string, CapacityHost['sessions'][number][]>();
    for (const entry of hosts[0]!.sessions) {
      const key = entry.prefix === undefined ? `s ${entry.name}` : `p ${entry.prefix} ${entry.prefixBatch}`;
      streams.set(key, [...(streams.get(key) ?? []), entry]);
    }
    for (const entries of streams.values()) {
      const { prefix } = entries[0]!;
      const group = prefix === undefined ? undefined : groupOf.get(`${prefix} ${entries[0]!.name}`);
      if (prefix !== undefined && !group) return undefined;
      const names = entries.map(entry => entry.name);
      const key = names.join('+');
      const unit =
        units.get(key) ??
        unitOf(
          names.map(name => sessions.get(name)!),
          group,
        );
      units.set(key, unit);
      const rateHz = entries.reduce((sum, entry) => sum + entry.rateHz, 0) * hosts.length;
      parts.push({ unit, pool, hosts: hosts.length, rateHz });
    }
  }
  return parts;
}

/** What changed goes to the part with most hosts, then the smallest rate: the one that isn't full. */
function atRatesOfNow(parts: readonly Part[]): boolean {
  const byUnit = new Map<Unit, Part[]>();
  for (const part of parts) byUnit.set(part.unit, [...(byUnit.get(part.unit) ?? []), part]);
  for (const [unit, own] of byUnit) {
    const before = own.reduce((sum, part) => sum + part.rateHz, 0);
    const now = unit.rateHz;
    const hosts = own.reduce((sum, part) => sum + part.hosts, 0);
    if (hosts < unit.replicasMin) return false;
    if (before <= RATE_LEAST_HZ && now <= RATE_LEAST_HZ) {
      for (const part of own) part.rateHz = (now * part.hosts) / hosts;
      continue;
    }
    if (now < RATE_LOW * before || now > RATE_HIGH * before) return false;
    let change = now - before;
    own.sort((a, b) => b.hosts - a.hosts || a.rateHz - b.rateHz || (a.pool < b.pool ? -1 : 1));
    for (const part of own) {
      const by = Math.max(change, -part.rateHz);
      part.rateHz += by;
      change -= by;
    }
  }
  return true;
}

function refitted(
  parts: readonly Part[],
  hosts: readonly CapacityHost[],
  from: DeviceClass,
  demand: Demand,
): PlannedPool | undefined {
  const works: Work[] = [];
  for (const { unit, rateHz } of parts) {
    const work = workOn(unit, from.kind, demand.workload.curves);
    if (!work) return undefined;
    works.push({ ...work, rateHz: Math.max(rateHz, 1e-6) });
  }
  if (hosts.length > 1) {
    const pool = staggered(works.sort(byUrgency), hosts.length, from.memoryBytes, NO_HEADROOM);
    return pool && poolOfShared(pool, from);
  }
  const node = sameCycle(works, hosts[0]!.dutyMs, from.memoryBytes) ?? only(pack(works, from.memoryBytes));
  return node?.shares.length === works.length ? poolOfNode(node, from) : undefined;
}

const only = (nodes: readonly Node[]): Node | undefined => (nodes.length === 1 ? nodes[0] : undefined);

/** The device's cycle stays, batches follow the rates: with lower rates that always works. */
function sameCycle(works: readonly Work[], dutyMs: number, memoryBytes: number): Node | undefined {
  const shares: Node['shares'][number][] = [];
  let busyMs = 0;
  for (const load of works) {
    const { curve, deviceMs, rateHz } = load;
    const batch = Math.max(curve.batchMin, Math.ceil((dutyMs * rateHz) / 1000 - 1e-9));
    if (batch > curve.batchMax) return undefined;
    const runMs = curve.latencyMs(batch);
    busyMs += runMs;
    if (busyMs > dutyMs * (1 + 1e-9) || dutyMs + runMs > deviceMs * (1 + 1e-9)) return undefined;
    shares.push({ load, rateHz, batch });
  }
  return memoryOf(shares) <= memoryBytes ? { kind: 'residual', dutyMs, shares } : undefined;
}
