import type { Curves } from './curve.ts';
import { deviceMs, type Session } from './demand.ts';
import { canServe, compareText, memoryOf, occupancy, pack, type Load, type Node, type Share } from './packing.ts';

/** Hosts with the same kind of device and the same memory. */
export interface HostClass {
  readonly kind: string;
  readonly memoryBytes: number;
  readonly count: number;
}

export interface PlacedNode {
  readonly kind: string;
  readonly memoryBytes: number;
  readonly node: Node;
  /** More is asked of it than it can do in time: the batcher drops what it must. */
  readonly overcommitted: boolean;
}

export interface Fleet {
  readonly nodes: readonly PlacedNode[];
  /** Sessions that no host can hold or serve in time, with the reason. */
  readonly unheld: readonly { readonly session: string; readonly reason: string }[];
  /** Rate that is above capacity, by session. */
  readonly shortHz: ReadonlyMap<string, number>;
}

export interface FleetView {
  readonly classes: readonly HostClass[];
  readonly curves: Curves;
  readonly networkMs: number;
}

/**
 * Sessions of equal model and budget are one load: their inputs can run in one batch. Served by the class of hosts
 * that needs the fewest devices first, what doesn't fit there by the next. When all are used, what has no place yet
 * shares the least occupied device that has memory for it: degraded service for everybody before none for some.
 */
export function layOut(sessions: readonly Session[], view: FleetView): Fleet {
  const demands = gather(sessions);
  let best: Attempt | undefined;
  for (const order of rotations(view.classes)) {
    const attempt = fill(demands, order, view);
    if (!best || better(attempt, best)) best = attempt;
  }
  best ??= fill(demands, [], view);
  return squeeze(best, demands, view);
}

interface Demand {
  readonly name: string;
  readonly sessions: readonly Session[];
  readonly rateHz: number;
}

interface Attempt {
  readonly nodes: PlacedNode[];
  /** By demand. */
  readonly restHz: Map<string, number>;
}

function gather(sessions: readonly Session[]): Demand[] {
  const groups = new Map<string, Session[]>();
  for (const session of sessions.toSorted((a, b) => compareText(a.name, b.name))) {
    const key = `${session.model} ${session.budgetMs}`;
    groups.set(key, [...(groups.get(key) ?? []), session]);
  }
  return [...groups].map(([name, members]) => {
    return { name, sessions: members, rateHz: members.reduce((sum, s) => sum + s.rateHz, 0) };
  });
}

const rotations = (classes: readonly HostClass[]): HostClass[][] =>
  classes.map((first, i) => [first, ...classes.filter((_, j) => j !== i)]);

const better = (a: Attempt, b: Attempt): boolean =>
  a.restHz.size < b.restHz.size || (a.restHz.size === b.restHz.size && a.nodes.length < b.nodes.length);

function loadOf(demand: Demand, rateHz: number, kind: string, view: FleetView): Load | undefined {
  const { model, budgetMs } = demand.sessions[0]!;
  const curve = view.curves.find(model, kind);
  return curve && { name: demand.name, rateHz, deviceMs: deviceMs(budgetMs, curve, view.networkMs), curve };
}

function fill(demands: readonly Demand[], order: readonly HostClass[], view: FleetView): Attempt {
  const nodes: PlacedNode[] = [];
  const restHz = new Map(demands.map(demand => [demand.name, demand.rateHz]));
  for (const { kind, memoryBytes, count } of order) {
    const loads = demands.flatMap(demand => {
      const rateHz = restHz.get(demand.name);
      const load = rateHz === undefined ? undefined : loadOf(demand, rateHz, kind, view);
      return load && canServe(load, memoryBytes) ? [load] : [];
    });
    const packed = pack(loads, memoryBytes).toSorted((a, b) => occupancy(b) - occupancy(a));
    for (const load of loads) restHz.delete(load.name);
    for (const node of packed.slice(0, count)) nodes.push({ kind, memoryBytes, node, overcommitted: false });
    for (const node of packed.slice(count)) {
      for (const { load, rateHz } of node.shares) restHz.set(load.name, (restHz.get(load.name) ?? 0) + rateHz);
    }
  }
  return { nodes, restHz };
}

function squeeze({ nodes, restHz }: Attempt, demands: readonly Demand[], view: FleetView): Fleet {
  const unheld: { session: string; reason: string }[] = [];
  const shortHz = new Map<string, number>();
  const holds = (placed: PlacedNode, demand: Demand): boolean =>
    placed.node.shares.some(share => share.load.name === demand.name);
  for (const demand of demands) {
    const rateHz = restHz.get(demand.name);
    if (rateHz === undefined) continue;
    const placed = nodes.some(node => holds(node, demand)) || share(nodes, demand, rateHz, view);
    for (const session of demand.sessions) {
      if (placed) shortHz.set(session.name, (rateHz * session.rateHz) / demand.rateHz);
      else unheld.push({ session: session.name, reason: whyNot(demand, view) });
    }
  }
  return { nodes, unheld, shortHz };
}

/** Adds the demand to the least occupied node that can hold it. */
function share(nodes: PlacedNode[], demand: Demand, rateHz: number, view: FleetView): boolean {
  let best: { index: number; placed: PlacedNode; load: number } | undefined;
  for (const [index, { kind, memoryBytes, node }] of nodes.entries()) {
    const load = loadOf(demand, rateHz, kind, view);
    if (!load || !canServe(load, memoryBytes)) continue;
    const added: Share = { load, rateHz, batch: load.curve.batchMin };
    const shares = [...node.shares, added];
    if (memoryOf(shares) > memoryBytes) continue;
    const used = node.shares.length === 0 ? 0 : asked(node);
    if (best && best.load <= used) continue;
    const dutyMs = Math.min(node.dutyMs, load.deviceMs - load.curve.latencyMs(added.batch));
    best = {
      index,
      load: used,
      placed: { kind, memoryBytes, node: { kind: node.kind, dutyMs, shares }, overcommitted: true },
    };
  }
  if (best) nodes[best.index] = best.placed;
  return best !== undefined;
}

/** Device time per second that the shares ask for at their own batch sizes. */
const asked = (node: Node): number =>
  node.shares.reduce(
    (sum, { load, rateHz, batch }) => sum + (rateHz * load.curve.latencyMs(batch)) / (1000 * batch),
    0,
  );

function whyNot(demand: Demand, view: FleetView): string {
  const { model } = demand.sessions[0]!;
  if (view.classes.length === 0) return 'no GPU host is up; start one';
  const reasons = view.classes.map(({ kind, memoryBytes }) => {
    const load = loadOf(demand, demand.rateHz, kind, view);
    if (!load) return `${kind}: ${model} is not profiled`;
    const { curve } = load;
    const needed = curve.persistentBytes + curve.ephemeralBytes(curve.batchMin);
    if (needed > memoryBytes) return `${kind}: ${model} needs ${mb(needed)}, a host has ${mb(memoryBytes)}`;
    if (!canServe(load, memoryBytes)) {
      const needMs = Math.ceil(2 * curve.latencyMs(curve.batchMin) + demand.sessions[0]!.budgetMs - load.deviceMs);
      return `${kind}: too slow, its share of the objective would have to be ${needMs} ms`;
    }
    return `${kind}: memory is taken by other models, ${model} needs ${mb(needed)}; add a host`;
  });
  return reasons.join('; ');
}

const mb = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
