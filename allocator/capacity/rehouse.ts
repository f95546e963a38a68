import { checkCopies } from './check-copies.ts';
import type { Held } from './held.ts';
import type { PlannedPool } from './pack.ts';
import type { Demand } from './demand.ts';
import { byNumber, entriesOf, remember } from './settle.ts';
import { classesOf, Stock, termsOf, type DeviceClass } from './supply.ts';
import type { CapacityHost, CapacityPlan, DeviceOffer } from './workload.ts';

/** What some hosts are to do, and whose hosts they are so far. */
export interface Slot {
  readonly pool: PlannedPool;
  readonly held: Held | undefined;
  /** Its rates of now are those that it is made for, not those of before. */
  readonly sizedAnew: boolean;
}

/**
 * Slots on hosts: those that they had, then those that others gave up, then new ones. What doesn't change at all is the
 * same object as before. Undefined where devices are short, or copies aren't spread as they could be.
 */
export function rehouse(
  demand: Demand,
  previous: CapacityPlan,
  slots: readonly Slot[],
  held: readonly Held[],
): CapacityHost[] | undefined {
  const own = new Map(held.map(one => [one, [...one.hosts]]));
  const given = slots.map(({ pool, held: from }) => (from ? own.get(from)!.splice(0, pool.hosts) : []));
  const spare = [...own.values()].flat();
  const ids = new Set(previous.hosts.map(host => host.id));
  const names = new Set(previous.hosts.map(host => host.pool));
  const offers = lackingOf(slots, given, spare) ? leftOf(demand, given.flat()) : [];
  const classes = new Map(classesOf(offers).map(from => [from.key, from]));
  const stock = new Stock();
  const keptName = new Set<Held>();
  const hosts: CapacityHost[] = [];
  for (const [i, slot] of slots.entries()) {
    const { pool } = slot;
    const mine: Bare[] = given[i]!;
    const more = pool.hosts - mine.length;
    if (more > 0) {
      const from = classes.get(pool.from.key);
      const picked = from && picks(stock, from, more, pool.spread, mine);
      if (!picked) return undefined;
      for (const offer of picked) {
        const again = spare.findIndex(host => termsOf(host) === termsOf(offer));
        mine.push(
          again >= 0 ? spare.splice(again, 1)[0]! : { ...offer, id: fresh(`${offer.kind}-${offer.zone}`, ids) },
        );
      }
    }
    const name = pool.hosts === 1 ? mine[0]!.id : poolName(slot, keptName, names);
    hosts.push(...housed(slot, mine, name));
  }
  hosts.sort((a, b) => byNumber(a.id, b.id));
  return wellSpread(demand, hosts) ? hosts : undefined;
}

type Bare = Pick<CapacityHost, 'id' | 'kind' | 'zone' | 'memoryBytes' | 'pricePerHour' | 'revocable'>;

const lackingOf = (slots: readonly Slot[], given: readonly (readonly Bare[])[], spare: readonly Bare[]): boolean =>
  spare.length > 0 || slots.some(({ pool }, i) => given[i]!.length < pool.hosts);

/** What is on offer besides these. */
function leftOf(demand: Demand, used: readonly Bare[]): DeviceOffer[] {
  const taken = new Map<string, number>();
  for (const host of used) taken.set(termsOf(host), (taken.get(termsOf(host)) ?? 0) + 1);
  return demand.workload.devices.map(offer => {
    const less = Math.min(Math.floor(offer.count), taken.get(termsOf(offer)) ?? 0);
    taken.set(termsOf(offer), (taken.get(termsOf(offer)) ?? 0) - less);
    return { ...offer, count: offer.count - less };
  });
}

/** More devices beside these: one that can't be revoked first, then in other zones as far as asked for, then the cheapest. */
function picks(
  stock: Stock,
  from: DeviceClass,
  count: number,
  spread: number,
  mine: readonly Bare[],
): DeviceOffer[] | undefined {
  const zones = new Set(mine.map(host => host.zone));
  let firm = mine.some(host => !host.revocable);
  const picked: DeviceOffer[] = [];
  for (let i = 0; i < count; i++) {
    const left = from.offers.filter(offer => stock.of(offer) > 0);
    const firmOnes = firm ? [] : left.filter(offer => !offer.revocable);
    const usable = firmOnes.length > 0 ? firmOnes : left;
    const elsewhere = mine.length + i < spread ? usable.find(offer => !zones.has(offer.zone)) : undefined;
    const offer = elsewhere ?? usable[0];
    if (!offer) return undefined;
    stock.take(offer);
    picked.push(offer);
    zones.add(offer.zone);
    firm ||= !offer.revocable;
  }
  return picked;
}

function fresh(stem: string, used: Set<string>): string {
  let number = 1;
  while (used.has(`${stem}-${number}`)) number++;
  const id = `${stem}-${number}`;
  used.add(id);
  return id;
}

function poolName({ held }: Slot, kept: Set<Held>, names: Set<string>): string {
  if (held && held.hosts.length > 1 && !kept.has(held)) {
    kept.add(held);
    return held.name;
  }
  return fresh('pool', names);
}

function housed({ pool, held, sizedAnew }: Slot, mine: readonly Bare[], name: string): CapacityHost[] {
  if (held?.same && !sizedAnew) return [...held.hosts];
  const { occupancy, dutyMs } = pool;
  const before = held?.hosts[0]?.sessions;
  const sessions = sizedAnew || !before ? entriesOf(pool) : remember(asSizedBefore(entriesOf(pool), before), pool);
  return mine.map(host => {
    const was = host as CapacityHost;
    if (was.sessions === sessions && was.pool === name && was.occupancy === occupancy && was.dutyMs === dutyMs)
      return was;
    const { id, kind, zone, memoryBytes, pricePerHour, revocable } = host;
    return { id, kind, zone, pool: name, memoryBytes, pricePerHour, revocable, occupancy, dutyMs, sessions };
  });
}

type Entry = CapacityHost['sessions'][number];

/** With the rates that their hosts were sized for; the list of before if nothing else changed either. */
function asSizedBefore(entries: readonly Entry[], before: readonly Entry[]): readonly Entry[] {
  const sizedHz = new Map(before.map(entry => [entry.name, entry.sizedHz ?? entry.rateHz]));
  const sessions = entries.map(entry => {
    const was = sizedHz.get(entry.name)!;
    return was === entry.rateHz ? entry : { ...entry, sizedHz: was };
  });
  return sessions.length === before.length && sessions.every((entry, i) => sameEntry(entry, before[i]!))
    ? before
    : sessions;
}

const sameEntry = (a: Entry, b: Entry): boolean =>
  a.name === b.name &&
  a.batch === b.batch &&
  a.rateHz === b.rateHz &&
  a.sizedHz === b.sizedHz &&
  a.latencyMs === b.latencyMs &&
  a.prefixBatch === b.prefixBatch;

/** Every copy that is asked for; in other zones, and on devices that can't be revoked, as far as that can be. */
const wellSpread = ({ workload, sessions }: Demand, hosts: readonly CapacityHost[]): boolean =>
  (!hosts.some(host => host.revocable) && sessions.every(session => session.replicasMin <= 1)) ||
  checkCopies(workload, { hosts }).length === 0;
