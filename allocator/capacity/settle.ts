import { compareText } from '../packing.ts';
import type { PlannedPool } from './pack.ts';
import type { Placement } from './place.ts';
import { memberBatch } from './prefix.ts';
import { termsOf } from './supply.ts';
import type { CapacityHost, CapacityPlan, DeviceOffer } from './workload.ts';

type Entry = CapacityHost['sessions'][number];

interface Slot {
  readonly pool: number;
  readonly offer: DeviceOffer;
  readonly entries: readonly Entry[];
  readonly models: ReadonlySet<string>;
}

/**
 * Placed pools as hosts. A host of the previous plan keeps its id, and gets the pool with which it has most models in
 * common, so that the fewest are loaded.
 */
export function settle({ pools, offers }: Placement, previous: CapacityPlan | undefined): CapacityHost[] {
  const slots = pools.flatMap((pool, index): Slot[] => {
    const entries = entriesOf(pool);
    const models = new Set(entries.flatMap(e => (e.prefix === undefined ? [e.model] : [e.model, e.prefix])));
    return offers[index]!.map(offer => ({ pool: index, offer, entries, models }));
  });
  const ids = identified(slots, previous);
  const names = named(slots, ids, pools, previous);
  const hosts = slots.map((slot, i): CapacityHost => {
    const pool = pools[slot.pool]!;
    return {
      id: ids[i]!,
      kind: slot.offer.kind,
      zone: slot.offer.zone,
      pool: names[i]!,
      memoryBytes: slot.offer.memoryBytes,
      pricePerHour: slot.offer.pricePerHour,
      revocable: slot.offer.revocable,
      occupancy: pool.occupancy,
      dutyMs: pool.dutyMs,
      sessions: slot.entries,
    };
  });
  return hosts.sort((a, b) => byNumber(a.id, b.id));
}

const made = new WeakMap<readonly Entry[], PlannedPool>();

/** The pool that these were made of, as far as that was {@link remember}ed: for who plans on, nothing that a plan says. */
export const madeOf = (entries: readonly Entry[]): PlannedPool | undefined => made.get(entries);

export function remember<T extends readonly Entry[]>(entries: T, pool: PlannedPool): T {
  made.set(entries, pool);
  return entries;
}

export function entriesOf(pool: PlannedPool): Entry[] {
  const entries = pool.parts.flatMap(({ unit, rateHz, batch, latencyMs }): Entry[] => {
    const share = unit.rateHz > 0 ? rateHz / unit.rateHz / pool.hosts : 0;
    const totalHz = unit.members.reduce((sum, m) => sum + m.rateHz, 0);
    return unit.members.map((member): Entry => {
      const entry = { name: member.name, model: member.model, batch, rateHz: member.rateHz * share, latencyMs };
      if (!unit.group) return entry;
      return {
        ...entry,
        model: unit.group.suffixes.get(member.name) ?? member.model,
        prefix: unit.group.prefix,
        batch: memberBatch(batch, member.rateHz, totalHz, unit.members.length),
        prefixBatch: batch,
      };
    });
  });
  entries.sort((a, b) => compareText(a.name, b.name));
  return remember(entries, pool);
}

/** An id for each slot: pairs of slot kinds and previous hosts by models in common, most first. */
function identified(slots: readonly Slot[], previous: CapacityPlan | undefined): string[] {
  const ids = slots.map(() => '');
  const taken = new Set<string>();
  const slotsOf = new Map<string, { slots: number[]; models: ReadonlySet<string>; offer: string }>();
  for (const [i, slot] of slots.entries()) {
    const key = `${slot.pool} ${termsOf(slot.offer)}`;
    const known = slotsOf.get(key);
    if (known) known.slots.push(i);
    else slotsOf.set(key, { slots: [i], models: slot.models, offer: termsOf(slot.offer) });
  }
  const holders = holdersOf(previous);
  const pairs: { group: { slots: number[] }; hosts: string[]; score: number; at: string }[] = [];
  for (const group of slotsOf.values()) {
    const scores = new Map<(typeof holders.all)[number], number>();
    for (const model of group.models) {
      for (const holder of holders.byModel.get(model) ?? []) {
        if (holder.offer === group.offer) scores.set(holder, (scores.get(holder) ?? 0) + 1);
      }
    }
    // Equal models in common: the host that holds less besides.
    for (const [holder, score] of scores) {
      pairs.push({ group, hosts: holder.hosts, score: score - holder.models.size / 1e6, at: holder.hosts[0]! });
    }
  }
  pairs.sort((a, b) => b.score - a.score || byNumber(a.at, b.at) || a.group.slots[0]! - b.group.slots[0]!);
  const give = (group: { slots: number[] }, hosts: string[]): void => {
    for (const host of hosts) {
      if (group.slots.length === 0) return;
      if (taken.has(host)) continue;
      taken.add(host);
      ids[group.slots.shift()!] = host;
    }
  };
  for (const { group, hosts } of pairs) give(group, hosts);
  // Running devices before new ones.
  for (const group of slotsOf.values()) {
    for (const holder of holders.byOffer.get(group.offer) ?? []) give(group, holder.hosts);
  }
  const next = new Map<string, number>();
  const used = new Set(previous?.hosts.map(host => host.id));
  for (const [i, slot] of slots.entries()) {
    if (ids[i] !== '') continue;
    const stem = `${slot.offer.kind}-${slot.offer.zone}`;
    let number = next.get(stem) ?? 1;
    while (used.has(`${stem}-${number}`)) number++;
    next.set(stem, number + 1);
    const id = `${stem}-${number}`;
    ids[i] = id;
    used.add(id);
  }
  return ids;
}

interface Holder {
  readonly hosts: string[];
  readonly models: ReadonlySet<string>;
  readonly offer: string;
}

/** Hosts of the previous plan that hold the same, by what they hold. */
function holdersOf(previous: CapacityPlan | undefined): {
  all: Holder[];
  byModel: Map<string, Holder[]>;
  byOffer: Map<string, Holder[]>;
} {
  const byKey = new Map<string, Holder>();
  const byModel = new Map<string, Holder[]>();
  const byOffer = new Map<string, Holder[]>();
  const push = (map: Map<string, Holder[]>, key: string, holder: Holder): void => {
    const known = map.get(key);
    if (known) known.push(holder);
    else map.set(key, [holder]);
  };
  for (const host of previous?.hosts ?? []) {
    const models = new Set(host.sessions.flatMap(s => (s.prefix === undefined ? [s.model] : [s.model, s.prefix])));
    const offer = termsOf(host);
    const key = `${offer} ${host.pool} ${[...models].sort().join(' ')}`;
    const known = byKey.get(key);
    if (known) {
      known.hosts.push(host.id);
      continue;
    }
    const holder = { hosts: [host.id], models, offer };
    byKey.set(key, holder);
    push(byOffer, offer, holder);
    for (const model of models) push(byModel, model, holder);
  }
  return { all: [...byKey.values()], byModel, byOffer };
}

/** A pool of one host has the host's name; others keep the name of the previous pool from which they have most hosts. */
function named(
  slots: readonly Slot[],
  ids: readonly string[],
  pools: readonly PlannedPool[],
  previous: CapacityPlan | undefined,
): string[] {
  const before = new Map(previous?.hosts.map(host => [host.id, host.pool]));
  const votes = new Map<string, { pool: number; name: string; count: number }>();
  for (const [i, slot] of slots.entries()) {
    const name = before.get(ids[i]!);
    if (pools[slot.pool]!.hosts === 1 || name === undefined || name === ids[i]) continue;
    const key = `${slot.pool} ${name}`;
    votes.set(key, { pool: slot.pool, name, count: (votes.get(key)?.count ?? 0) + 1 });
  }
  const nameOf = new Map<number, string>();
  const taken = new Set<string>();
  for (const { pool, name } of [...votes.values()].sort((a, b) => b.count - a.count || byNumber(a.name, b.name))) {
    if (nameOf.has(pool) || taken.has(name)) continue;
    nameOf.set(pool, name);
    taken.add(name);
  }
  let number = 1;
  for (const [index, pool] of pools.entries()) {
    if (pool.hosts === 1 || nameOf.has(index)) continue;
    while (taken.has(`pool-${number}`)) number++;
    taken.add(`pool-${number}`);
    nameOf.set(index, `pool-${number}`);
  }
  return slots.map((slot, i) => nameOf.get(slot.pool) ?? ids[i]!);
}

/** host-2 before host-10. */
export function byNumber(a: string, b: string): number {
  const [stemA, endA] = split(a);
  const [stemB, endB] = split(b);
  return compareText(stemA, stemB) || endA - endB || compareText(a, b);
}

function split(id: string): [string, number] {
  const at = id.lastIndexOf('-');
  const end = Number(id.slice(at + 1));
  return at > 0 && Number.isInteger(end) ? [id.slice(0, at), end] : [id, 0];
}
