import type { PlannedHost } from '../contracts/index.ts';
import { assign } from './assign.ts';
import type { CapacityHost, CapacityPlan } from './capacity/index.ts';
import { largestBatch, type Curve } from './curve.ts';
import type { Refusal, Session } from './demand.ts';
import { grantMaxOf } from './grants.ts';
import { compareText } from './packing.ts';
import type { SuppliedHost, Supply } from './supply.ts';

/** A named host with what it will hold. */
export interface Place {
  readonly host: SuppliedHost;
  /** Model id → the largest batch that capacity was planned with. */
  readonly batches: Map<string, number>;
  /** Share of its time that is planned; above 1 where more is asked of it than it can do. */
  busy: number;
  /** What capacity was planned with; undefined where it holds only copies, or what was squeezed in. */
  readonly node?: CapacityHost;
}

/** Which share of L a batch may run: a larger one would leave less than a quarter of it to arrive, wait and be prepared. */
const RUN_SHARE_MAX = 0.75;
/**
 * A limit in force stays while the one that would be set now is between half of it and this much more. A larger one has to be warmed up on devices
 * that serve, on all of them at the same time, and batches are as large as deadlines let them be anyhow.
 */
const LIMIT_GROWTH = 1.25;
/** Nor does it stay that much below the batch that capacity was planned with: a tenth costs a percent of a device's throughput. */
const PLANNED_GROWTH = 1.1;
const LIMIT_SHRINKING = 0.5;

/** Gives planned devices to named hosts on the same terms, so that the least is loaded. Hosts that get nothing are left out. */
export function placesOf(plan: CapacityPlan, { hosts, curves }: Supply): Place[] {
  const places: Place[] = [];
  for (const terms of new Set(hosts.map(host => host.terms))) {
    const named = hosts.filter(host => host.terms === terms);
    const { kind, memoryBytes } = named[0]!.offer;
    const nodes = plan.hosts.filter(node => node.kind === kind && node.memoryBytes === memoryBytes);
    // A device that the policy kept is the host of its name.
    const keeps = new Map(nodes.map(node => [node, named.find(host => host.host === node.id)]));
    const fresh = nodes.filter(node => !keeps.get(node));
    const free = named.filter(host => !nodes.some(node => node.id === host.host));
    const indices = assign(
      fresh.map(node => ({
        models: new Map(node.sessions.map(({ model }) => [model, curves.get(model, kind).persistentBytes])),
      })),
      free.map(host => ({ host: host.host, models: new Set(host.holds) })),
    );
    for (const node of nodes) {
      const { sessions, occupancy } = node;
      const host = keeps.get(node) ?? free[indices[fresh.indexOf(node)]!]!;
      const batches = new Map<string, number>();
      for (const { model, batch } of sessions) batches.set(model, Math.max(batches.get(model) ?? 1, batch));
      places.push({ host, batches, busy: occupancy, node });
    }
  }
  return places;
}

/** Adds copies on hosts that already hold them, then on those with the fewest models, until each model has its replicas. */
export function replicate(places: Place[], supply: Supply, replicasMin: number): void {
  const models = [...new Set(places.flatMap(place => [...place.batches.keys()]))].toSorted(compareText);
  for (const model of models) {
    const missing = replicasMin - places.filter(place => place.batches.has(model)).length;
    if (missing <= 0) continue;
    const candidates = roomFor(model, places, supply).toSorted(
      (a, b) => holdsFirst(model, a, b) || a.batches.size - b.batches.size,
    );
    for (const place of candidates.slice(0, missing)) add(model, place, places);
  }
}

/**
 * Best effort for queries that have no place by the rules: each of their models that is nowhere goes to the least busy host that has
 * memory for it and is fast enough to run an input alone. The batcher drops what comes too late.
 * @returns the queries for which there is no memory
 */
export function squeeze(
  queries: readonly (readonly Session[])[],
  places: Place[],
  supply: Supply,
  networkMs: number,
): Refusal[] {
  return queries.flatMap(sessions => {
    const added: [string, Place][] = [];
    for (const session of sessions) {
      const { model } = session;
      if (places.some(place => place.batches.has(model) && inTime(session, place, supply, networkMs))) continue;
      const [best] = roomFor(model, places, supply)
        .filter(place => inTime(session, place, supply, networkMs))
        .toSorted((a, b) => holdsFirst(model, a, b) || a.busy - b.busy);
      if (!best) {
        for (const [id, place] of added) place.batches.delete(id);
        return [
          { tenant: session.tenant, query: session.query, reason: `stage ${session.stage}: ${full(model, supply)}` },
        ];
      }
      add(model, best, places);
      added.push([model, best]);
      const curve = curveAt(model, best, supply)!;
      best.busy += (session.rateHz / 1000) * (curve.latencyMs(curve.batchMin) / curve.batchMin);
    }
    return [];
  });
}

/** What each host is to hold, and how large batches may be. */
export function plannedHosts(
  places: readonly Place[],
  sessions: readonly Session[],
  supply: Supply,
  {
    networkMs,
    batchMaxOf,
    current,
  }: {
    readonly networkMs: number;
    readonly batchMaxOf: (model: string) => number;
    /** Hosts of the plan in force. */
    readonly current: readonly PlannedHost[];
  },
): PlannedHost[] {
  const inForce = new Map(
    current.flatMap(({ host, models }) => models.map(({ model, batchMax }) => [`${host} ${model}`, batchMax])),
  );
  return places
    .filter(({ batches }) => batches.size > 0)
    .toSorted((a, b) => compareText(a.host.host, b.host.host))
    .map(place => ({
      host: place.host.host,
      kind: place.host.kind,
      models: [...place.batches.keys()].toSorted(compareText).map(model => {
        const own = sessions.filter(session => session.model === model);
        const longestMs = Math.max(...own.map(session => session.budgetMs)) - networkMs;
        const curve = curveAt(model, place, supply)!;
        const latencyMs = RUN_SHARE_MAX * (longestMs - curve.aroundMs);
        const batchMax = runLimit(
          model,
          place,
          { latencyMs, inForce: inForce.get(`${place.host.host} ${model}`) },
          supply,
        );
        const grantMax = grantMaxOf(curve, batchMax, { batchMax: batchMaxOf(model), latencyMs });
        return {
          model,
          lane: 0,
          batches: warmUps(batchMax),
          batchMax,
          ...(grantMax > batchMax ? { grantMax } : {}),
        };
      }),
    }));
}

/**
 * The largest batch that runs at once: the batcher binds late, so this is not the batch that capacity was planned with but, where that is
 * more, the largest that runs within three quarters of L of the most patient session, with E beside all weights in memory.
 */
function runLimit(
  model: string,
  place: Place,
  { latencyMs, inForce }: { readonly latencyMs: number; readonly inForce: number | undefined },
  supply: Supply,
): number {
  const curve = curveAt(model, place, supply)!;
  const planned = place.batches.get(model)!;
  const weights = weightsOf(place, supply);
  const fits = (b: number): boolean => weights + curve.ephemeralBytes(b) <= place.host.memoryBytes;
  const most = largestBatch(curve, b => (b <= planned || curve.latencyMs(b) <= latencyMs) && fits(b)) ?? curve.batchMin;
  const stays =
    inForce !== undefined &&
    inForce >= Math.max(planned / PLANNED_GROWTH, curve.batchMin, most / LIMIT_GROWTH) &&
    inForce <= Math.min(curve.batchMax, most / LIMIT_SHRINKING) &&
    fits(inForce);
  return stays ? inForce : most;
}

const curveAt = (model: string, place: Place, supply: Supply): Curve | undefined =>
  supply.curves.find(model, place.host.offer.kind);

/** ΣP */
const weightsOf = (place: Place, supply: Supply): number =>
  [...place.batches.keys()].reduce((sum, model) => sum + curveAt(model, place, supply)!.persistentBytes, 0);

/** Hosts, used or not, that can run one more model beside what they are to hold: the smallest batches of all. */
function roomFor(model: string, places: readonly Place[], supply: Supply): Place[] {
  const used = new Set(places.map(place => place.host));
  const free = supply.hosts.filter(host => !used.has(host)).map(host => ({ host, batches: new Map(), busy: 0 }));
  return [...places, ...free]
    .filter(place => {
      const curve = curveAt(model, place, supply);
      if (!curve || place.batches.has(model)) return false;
      const curves = [curve, ...[...place.batches.keys()].map(id => curveAt(id, place, supply)!)];
      const ephemeral = Math.max(...curves.map(c => c.ephemeralBytes(c.batchMin)));
      return weightsOf(place, supply) + curve.persistentBytes + ephemeral <= place.host.memoryBytes;
    })
    .toSorted((a, b) => compareText(a.host.host, b.host.host));
}

function add(model: string, place: Place, places: Place[]): void {
  place.batches.set(model, 1);
  if (!places.includes(place)) places.push(place);
}

const holdsFirst = (model: string, a: Place, b: Place): number =>
  Number(b.host.holds.includes(model)) - Number(a.host.holds.includes(model));

function inTime(session: Session, place: Place, supply: Supply, networkMs: number): boolean {
  const curve = curveAt(session.model, place, supply);
  return curve !== undefined && curve.latencyMs(curve.batchMin) <= session.budgetMs - networkMs - curve.aroundMs + 1e-9;
}

function full(model: string, supply: Supply): string {
  const needed = supply.offers.flatMap(({ kind }) => {
    const curve = supply.curves.find(model, kind);
    return curve ? [curve.persistentBytes + curve.ephemeralBytes(curve.batchMin)] : [];
  });
  return `memory is taken by other models, ${model} needs ${mb(Math.min(...needed))}; add a host`;
}

export const mb = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;

/** 1, 2, 4, … and the largest itself. */
function warmUps(batchMax: number): number[] {
  const sizes: number[] = [];
  for (let batch = 1; batch < batchMax; batch *= 2) sizes.push(batch);
  return [...sizes, batchMax];
}
