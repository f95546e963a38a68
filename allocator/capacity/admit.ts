import { compareText } from '../packing.ts';
import type { SessionDemand } from './workload.ts';

/** Sessions that are served or refused together: one, or all stages of a query. */
export interface Item {
  readonly sessions: readonly SessionDemand[];
  readonly tenant: string;
  readonly priority: number;
  /** Fractional cost at its cheapest. */
  readonly cost: number;
}

/** After what fits in order, so many more are tried one by one. */
const LATE_TRIES_MAX = 24;

export function itemsOf(sessions: readonly SessionDemand[], costOf: (session: SessionDemand) => number): Item[] {
  const byKey = new Map<string, SessionDemand[]>();
  for (const session of sessions) {
    const key = session.query === undefined ? `s ${session.name}` : `q ${session.tenant} ${session.query}`;
    const known = byKey.get(key);
    if (known) known.push(session);
    else byKey.set(key, [session]);
  }
  return [...byKey.values()].map(all => ({
    sessions: all,
    tenant: all[0]!.tenant,
    priority: all.reduce((most, session) => Math.max(most, session.priority), -Infinity),
    cost: all.reduce((sum, session) => sum + costOf(session), 0),
  }));
}

/**
 * The order in which scarce capacity is given out: higher priority first; within one, progressive filling: the tenant
 * that has least so far is next, with its cheapest item. What tenants get is thus max-min fair up to one item.
 */
export function inOrder(items: readonly Item[]): Item[] {
  const order: Item[] = [];
  const has = new Map<string, number>();
  const levels = [...new Set(items.map(item => item.priority))].sort((a, b) => b - a);
  for (const level of levels) {
    const waiting = new Map<string, Item[]>();
    for (const item of items) {
      if (item.priority !== level) continue;
      const own = waiting.get(item.tenant);
      if (own) own.push(item);
      else waiting.set(item.tenant, [item]);
    }
    // Dearest first, taken from the end.
    for (const own of waiting.values()) {
      own.sort((a, b) => b.cost - a.cost || compareText(b.sessions[0]!.name, a.sessions[0]!.name));
    }
    const heap = new Heap([...waiting.keys()].map(tenant => ({ tenant, has: has.get(tenant) ?? 0 })));
    for (let next = heap.pop(); next; next = heap.pop()) {
      const own = waiting.get(next.tenant)!;
      const item = own.pop()!;
      order.push(item);
      const now = next.has + item.cost;
      has.set(next.tenant, now);
      if (own.length > 0) heap.push({ tenant: next.tenant, has: now });
    }
  }
  return order;
}

/**
 * The longest head of the order that can be planned (bisection, since more never fits easier), then single ones behind
 * the first that doesn't fit, which may need a kind of device that is not short.
 * @returns the plan and the items that are in it
 */
export function admit<T>(
  order: readonly Item[],
  plan: (sessions: readonly SessionDemand[]) => T | undefined,
): { plan: T | undefined; served: Item[] } {
  const sessionsOf = (items: readonly Item[]): SessionDemand[] => items.flatMap(item => item.sessions);
  let served: Item[] = [];
  let best = plan([]);
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const head = order.slice(0, middle);
    const found = plan(sessionsOf(head));
    if (found === undefined) high = middle - 1;
    else {
      low = middle;
      best = found;
      served = head;
    }
  }
  for (const item of order.slice(low + 1, low + 1 + LATE_TRIES_MAX)) {
    const more = [...served, item];
    const found = plan(sessionsOf(more));
    if (found === undefined) continue;
    best = found;
    served = more;
  }
  return { plan: best, served };
}

/** Tenants by what they have, least first. */
class Heap {
  private readonly entries: { tenant: string; has: number }[] = [];

  constructor(entries: readonly { tenant: string; has: number }[]) {
    for (const entry of entries) this.push(entry);
  }

  push(entry: { tenant: string; has: number }): void {
    const { entries } = this;
    let at = entries.push(entry) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!before(entries[at]!, entries[up]!)) break;
      [entries[at], entries[up]] = [entries[up]!, entries[at]!];
      at = up;
    }
  }

  pop(): { tenant: string; has: number } | undefined {
    const { entries } = this;
    const top = entries[0];
    const last = entries.pop();
    if (entries.length === 0 || !last) return top;
    entries[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < entries.length && before(entries[child]!, entries[least]!)) least = child;
      }
      if (least === at) return top;
      [entries[at], entries[least]] = [entries[least]!, entries[at]!];
      at = least;
    }
  }
}

const before = (a: { tenant: string; has: number }, b: { tenant: string; has: number }): boolean =>
  a.has < b.has || (a.has === b.has && a.tenant < b.tenant);
