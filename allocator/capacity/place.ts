import type { PlannedPool } from './pack.ts';
import { Stock } from './supply.ts';
import type { Unit } from './unit.ts';
import type { DeviceOffer } from './workload.ts';

/** Devices for pools: as many for each as it has hosts. */
export interface Placement {
  readonly pools: readonly PlannedPool[];
  /** By pool, in the order of `pools`. */
  readonly offers: readonly (readonly DeviceOffer[])[];
  readonly pricePerHour: number;
  /** Sessions all of whose devices can be revoked. */
  readonly exposed: number;
}

/** One host of a pool. */
interface Slot {
  readonly pool: PlannedPool;
  offer: DeviceOffer;
}

/**
 * Puts planned pools on devices that are on offer; undefined where there are not enough. First, each unit's anchors: a
 * device that can't be revoked, and as many zones as it asks for copies; pools that ask for most choose first. Then the
 * other hosts, each on the cheapest device that is left: in whatever order, that costs the same. Last, what single
 * changes can mend is mended: see {@link mend}.
 */
export function place(pools: readonly PlannedPool[]): Placement | undefined {
  const stock = new Stock();
  const seen = new Seen();
  const slots = pools.map((): Slot[] => []);
  const rank = pools.map(({ parts }) =>
    parts.reduce((most, { unit }) => unit.members.reduce((high, m) => Math.max(high, m.priority), most), -Infinity),
  );
  const order = [...pools.keys()].sort(
    (a, b) =>
      rank[b]! - rank[a]! ||
      pools[b]!.spread - pools[a]!.spread ||
      pools[b]!.parts.length - pools[a]!.parts.length ||
      a - b,
  );
  for (const index of order) {
    const pool = pools[index]!;
    const offers = anchors(pool, seen, stock);
    seen.add(pool, offers);
    for (const offer of offers) slots[index]!.push({ pool, offer });
  }
  for (const index of order) {
    const pool = pools[index]!;
    const offers = stock.cheapest(pool.from, pool.hosts - slots[index]!.length);
    if (!offers) return undefined;
    seen.add(pool, offers);
    for (const offer of offers) slots[index]!.push({ pool, offer });
  }
  mend(pools, slots.flat(), seen, stock);
  return {
    pools,
    offers: slots.map(own => own.map(slot => slot.offer)),
    pricePerHour: slots.flat().reduce((sum, { offer }) => sum + offer.pricePerHour, 0),
    exposed: seen.exposed(),
  };
}

/** Where copies of units are: how many in each zone, and how many on devices that can't be revoked. */
class Seen {
  private readonly units = new Map<Unit, { readonly zones: Map<string, number>; firm: number }>();

  add({ parts }: PlannedPool, offers: readonly DeviceOffer[]): void {
    const counts = new Map<DeviceOffer, number>();
    for (const offer of offers) counts.set(offer, (counts.get(offer) ?? 0) + 1);
    for (const [offer, count] of counts) for (const { unit } of parts) this.change(unit, offer, count);
  }

  change(unit: Unit, offer: DeviceOffer, count: number): void {
    let at = this.units.get(unit);
    if (!at) this.units.set(unit, (at = { zones: new Map(), firm: 0 }));
    at.zones.set(offer.zone, (at.zones.get(offer.zone) ?? 0) + count);
    if (!offer.revocable) at.firm += count;
  }

  isFirm = (unit: Unit): boolean => (this.units.get(unit)?.firm ?? 0) > 0;
  isIn = (unit: Unit, zone: string): boolean => (this.units.get(unit)?.zones.get(zone) ?? 0) > 0;

  exposed(): number {
    return [...this.units].reduce((sum, [unit, { firm }]) => sum + (firm > 0 ? 0 : unit.members.length), 0);
  }

  /** What counts of a unit's places, for each member: one for a firm device, one for each zone up to the copies it asks for. */
  worth(unit: Unit): number {
    const zones = [...(this.units.get(unit)?.zones.values() ?? [])].filter(count => count > 0).length;
    return worthOf(unit, zones, this.isFirm(unit));
  }
}

const worthOf = ({ members }: Unit, zones: number, firm: boolean): number =>
  members.reduce((sum, member) => sum + Math.min(zones, Math.max(1, member.replicasMin)) + (firm ? 1 : 0), 0);

/**
 * The devices of a pool that have to be firm or in a zone of their own, the cheapest such; taken from the stock. Fewer,
 * or none, where nothing is asked for or nothing fits.
 */
function anchors({ from, hosts, spread, parts }: PlannedPool, seen: Seen, stock: Stock): DeviceOffer[] {
  const needsFirm = parts.some(({ unit }) => !seen.isFirm(unit));
  // The copies of a unit that is cut are on other devices.
  const apart = hosts === 1 ? parts.filter(({ unit }) => unit.replicasMin > 1) : [];
  const used = (zone: string): boolean => apart.some(({ unit }) => seen.isIn(unit, zone));
  const wanted = Math.min(hosts, spread);
  if (!needsFirm && spread < 2) return [];
  const inStock = from.offers.filter(offer => stock.of(offer) > 0);
  const zoneFirst = (offers: readonly DeviceOffer[]): DeviceOffer[] => [
    ...new Map(offers.toReversed().map(offer => [offer.zone, offer])).values(),
  ];
  const firm = zoneFirst(inStock.filter(offer => !offer.revocable));
  const byZone = zoneFirst(inStock).sort((a, b) => a.pricePerHour - b.pricePerHour);
  const first = needsFirm && firm.length > 0 ? firm : byZone;
  let best: { offers: DeviceOffer[]; repeats: number; price: number } | undefined;
  for (const offer of first) {
    const others = byZone.filter(other => other.zone !== offer.zone).slice(0, wanted - 1);
    const offers = [offer, ...others];
    const repeats = offers.filter(each => used(each.zone)).length;
    const price = offers.reduce((sum, each) => sum + each.pricePerHour, 0);
    if (!best || repeats < best.repeats || (repeats === best.repeats && price < best.price)) {
      best = { offers, repeats, price };
    }
  }
  for (const offer of best?.offers ?? []) stock.take(offer);
  return best?.offers ?? [];
}

/**
 * Where a unit has no firm device, or copies in fewer zones than it asks for: another device for one of its hosts, or the
 * device of another host in exchange, if that makes it better for all concerned together. Ends when no single change of
 * these does.
 */
function mend(all: readonly PlannedPool[], slots: readonly Slot[], seen: Seen, stock: Stock): void {
  const places = new Set(all.flatMap(({ from }) => from.offers.map(({ zone, revocable }) => `${revocable} ${zone}`)));
  // One device is as good as another.
  if (places.size < 2) return;
  const poolsOf = new Map<Unit, Set<PlannedPool>>();
  for (const pool of all) for (const { unit } of pool.parts) add(poolsOf, unit, pool);
  const mosts = [...poolsOf].map(([unit, pools]) => ({ unit, pools, most: worthAtMost(unit, pools) }));
  for (let changed = true; changed; ) {
    changed = false;
    // All are looked at again: what is better for several together may be worse for one.
    for (const { unit, pools, most } of mosts) {
      if (seen.worth(unit) >= most) continue;
      for (const slot of slots) {
        if (!pools.has(slot.pool)) continue;
        if (seen.worth(unit) >= most) break;
        changed = moved(slot, seen, stock) || exchanged(slot, slots, seen) || changed;
      }
    }
  }
}

/** More than that the classes on which the unit is don't have. */
function worthAtMost(unit: Unit, pools: ReadonlySet<PlannedPool>): number {
  const offers = [...new Set([...pools].map(pool => pool.from))].flatMap(from => from.offers);
  const zones = new Set(offers.map(offer => offer.zone)).size;
  return worthOf(
    unit,
    zones,
    offers.some(offer => !offer.revocable),
  );
}

function moved(slot: Slot, seen: Seen, stock: Stock): boolean {
  for (const offer of slot.pool.from.offers) {
    if (offer === slot.offer || stock.of(offer) <= 0) continue;
    const before = slot.offer;
    if (!gain([[slot, offer]], seen)) continue;
    stock.giveBack(before);
    stock.take(offer);
    return true;
  }
  return false;
}

const exchanged = (slot: Slot, others: readonly Slot[], seen: Seen): boolean =>
  others.some(
    other =>
      other.pool !== slot.pool &&
      other.pool.from === slot.pool.from &&
      other.offer !== slot.offer &&
      gain(
        [
          [slot, other.offer],
          [other, slot.offer],
        ],
        seen,
      ),
  );

/** Gives slots these offers if that is better for their units together; else leaves all as it was. */
function gain(changes: readonly (readonly [Slot, DeviceOffer])[], seen: Seen): boolean {
  const units = new Set(changes.flatMap(([slot]) => slot.pool.parts.map(part => part.unit)));
  const worth = (): number => [...units].reduce((sum, unit) => sum + seen.worth(unit), 0);
  const set = (slot: Slot, offer: DeviceOffer): void => {
    for (const { unit } of slot.pool.parts) {
      seen.change(unit, slot.offer, -1);
      seen.change(unit, offer, 1);
    }
    slot.offer = offer;
  };
  const old = changes.map(([slot]) => slot.offer);
  const before = worth();
  for (const [slot, offer] of changes) set(slot, offer);
  const better = worth() > before;
  if (!better) changes.forEach(([slot], i) => set(slot, old[i]!));
  return better;
}

function add<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const known = map.get(key);
  if (known) known.add(value);
  else map.set(key, new Set([value]));
}
