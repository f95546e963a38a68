import type { PlannedHost } from '../contracts/index.ts';
import { assign } from './assign.ts';
import { largestBatch, type Curves } from './curve.ts';
import { deviceMs, type Session } from './demand.ts';
import type { Fleet, HostClass } from './fleet.ts';
import { compareText } from './packing.ts';

/** A host that may be planned with. */
export interface HostView {
  readonly host: string;
  readonly kind: string;
  readonly memoryBytes: number;
  /** Ids of models that it holds or is loading. */
  readonly holds: readonly string[];
  /** Ids of models that failed to load there lately, with the reason. */
  readonly barred: ReadonlyMap<string, string>;
}

export interface NamingView {
  readonly hosts: readonly HostView[];
  readonly settings: { readonly networkMs: number; readonly replicasMin: number };
}

/**
 * Which share of L a batch may run: a larger one would leave less than a quarter of it to arrive, wait and be
 * prepared.
 */
const RUN_SHARE_MAX = 0.75;

/** Hosts of a kind and size, largest memory first within a kind. */
export function classesOf(hosts: readonly HostView[]): HostClass[] {
  const classes = new Map<string, HostClass>();
  for (const { kind, memoryBytes } of hosts.toSorted((a, b) => compareText(a.host, b.host))) {
    const key = `${kind} ${memoryBytes}`;
    classes.set(key, { kind, memoryBytes, count: (classes.get(key)?.count ?? 0) + 1 });
  }
  return [...classes.values()].toSorted((a, b) => compareText(a.kind, b.kind) || b.memoryBytes - a.memoryBytes);
}

/**
 * Gives the nodes of a fleet to named hosts, so that the least is loaded, and adds the replicas that are asked for.
 * Hosts that get nothing are left out.
 */
export function namedHosts(
  fleet: Fleet,
  sessions: readonly Session[],
  view: NamingView,
  curves: Curves,
): PlannedHost[] {
  const models = new Map<HostView, Set<string>>();
  const ranked = view.hosts.toSorted((a, b) => compareText(a.host, b.host));
  for (const { kind, memoryBytes } of classesOf(view.hosts)) {
    const hosts = ranked.filter(h => h.kind === kind && h.memoryBytes === memoryBytes);
    const nodes = fleet.nodes
      .filter(n => n.kind === kind && n.memoryBytes === memoryBytes)
      .map(n => new Map(n.node.shares.map(s => [s.load.curve.model, s.load.curve.persistentBytes])));
    const places = assign(
      nodes.map(weights => ({ models: weights })),
      hosts.map(h => ({ host: h.host, models: new Set(h.holds), barred: new Set(h.barred.keys()) })),
    );
    for (const [i, node] of nodes.entries()) models.set(hosts[places[i]!]!, new Set(node.keys()));
  }
  replicate(models, ranked, curves, view.settings.replicasMin);
  const batchMax = (model: string, host: HostView): number =>
    batchLimit(model, host, models.get(host)!, sessions, curves, view.settings.networkMs);
  return ranked.flatMap(host => {
    const held = models.get(host);
    if (!held) return [];
    const list = [...held].toSorted(compareText).map(model => {
      const max = batchMax(model, host);
      return { model, lane: 0, batches: warmUps(max), batchMax: max };
    });
    return [{ host: host.host, kind: host.kind, models: list }];
  });
}

/**
 * Adds copies on hosts that already hold them, then on those with the fewest models, until each model has its
 * replicas.
 */
function replicate(
  models: Map<HostView, Set<string>>,
  hosts: readonly HostView[],
  curves: Curves,
  replicasMin: number,
): void {
  for (const model of [...new Set([...models.values()].flatMap(held => [...held]))].toSorted(compareText)) {
    const fitting = hosts
      .filter(host => {
        const held = models.get(host);
        if (held?.has(model) || host.barred.has(model) || !curves.find(model, host.kind)) return false;
        const all = [...(held ?? []), model].map(id => curves.get(id, host.kind));
        const persistent = all.reduce((sum, c) => sum + c.persistentBytes, 0);
        return persistent + Math.max(...all.map(c => c.ephemeralBytes(c.batchMin))) <= host.memoryBytes;
      })
      .toSorted(
        (a, b) =>
          Number(b.holds.includes(model)) - Number(a.holds.includes(model)) ||
          (models.get(a)?.size ?? 0) - (models.get(b)?.size ?? 0),
      );
    const has = [...models.values()].filter(held => held.has(model)).length;
    for (const host of fitting.slice(0, Math.max(0, replicasMin - has))) {
      models.set(host, new Set([...(models.get(host) ?? []), model]));
    }
  }
}

/**
 * The largest batch that the batcher may form: it binds late, so this is not the batch of the planned duty cycle but
 * the largest that runs within three quarters of L of the most patient session, with E beside all weights in memory.
 */
function batchLimit(
  model: string,
  host: HostView,
  held: ReadonlySet<string>,
  sessions: readonly Session[],
  curves: Curves,
  networkMs: number,
): number {
  const curve = curves.get(model, host.kind);
  const weights = [...held].reduce((sum, id) => sum + curves.get(id, host.kind).persistentBytes, 0);
  const longestMs = Math.max(
    ...sessions.filter(s => s.model === model).map(s => deviceMs(s.budgetMs, curve, networkMs)),
  );
  const most = largestBatch(
    curve,
    b => curve.latencyMs(b) <= RUN_SHARE_MAX * longestMs && weights + curve.ephemeralBytes(b) <= host.memoryBytes,
  );
  return most ?? curve.batchMin;
}

/** 1, 2, 4, … and the largest itself. */
function warmUps(batchMax: number): number[] {
  const sizes: number[] = [];
  for (let batch = 1; batch < batchMax; batch *= 2) sizes.push(batch);
  return [...sizes, batchMax];
}
