import type { HostBeat, Plan, RouterBeat } from '../../contracts/index.ts';
import type { HostView, QueryView, Seen } from './view.ts';
import { isAlive } from './view.ts';

type QueryCounts = RouterBeat['queries'][number];

/** How far back rates look. */
const SPAN_MS = 5_000;

interface Point<B> {
  readonly atMs: number;
  readonly beat: B;
}
interface Track<B> {
  /** The first one heard: what was counted before doesn't concern the view. */
  first: B;
  recent: Point<B>[];
}

const OUTCOMES = ['ok', 'late', 'dropped', 'failed', 'rejected'] as const;
type Totals = Record<(typeof OUTCOMES)[number] | 'accepted', number>;

/** Turns counters that only grow (and start again at zero with a new process) into rates and counts since the view began. */
export class Counters {
  readonly #hosts = new Map<string, Track<HostBeat>>();
  readonly #routers = new Map<string, Track<RouterBeat>>();
  /** Counts of router processes that are gone, by query. */
  readonly #before = new Map<string, Totals>();

  host(name: string, beat: HostBeat, nowMs: number): void {
    track(this.#hosts, name, beat, nowMs, (before, after) => before.incarnation !== after.incarnation);
  }

  router(name: string, beat: RouterBeat, nowMs: number): void {
    const ended = track(this.#routers, name, beat, nowMs, (before, after) =>
      before.queries.some(query => (countsOf(after, query)?.accepted ?? 0) < query.accepted),
    );
    if (!ended) return;
    for (const query of ended.last.queries) {
      const key = keyOf(query);
      this.#before.set(key, add(this.#before.get(key) ?? zero(), since(query, countsOf(ended.first, query))));
    }
  }

  ofHost(name: string): Pick<HostView, 'busyShare' | 'rateHz'> {
    const recent = this.#hosts.get(name)?.recent ?? [];
    const [from, to] = [recent[0], recent.at(-1)];
    const spanMs = from && to ? to.atMs - from.atMs : 0;
    if (!from || !to || spanMs <= 0) return { busyShare: 0, rateHz: 0 };
    return {
      busyShare: Math.min(1, Math.max(0, (to.beat.busyMs - from.beat.busyMs) / spanMs)),
      rateHz: Math.max(0, ((to.beat.invocations - from.beat.invocations) / spanMs) * 1000),
    };
  }

  queries(routers: readonly Seen<RouterBeat>[], plan: Plan | undefined): QueryView[] {
    const all = new Map<string, { tenant: string; query: string }>();
    for (const { beat } of routers) for (const query of beat.queries) all.set(keyOf(query), query);
    for (const query of [...(plan?.queries ?? []), ...(plan?.refused ?? [])]) all.set(keyOf(query), query);
    return [...all.values()]
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
      .map(({ tenant, query }) => this.#query(tenant, query, routers, plan));
  }

  #query(tenant: string, query: string, routers: readonly Seen<RouterBeat>[], plan: Plan | undefined): QueryView {
    const id = { tenant, query };
    let totals = this.#before.get(keyOf(id)) ?? zero();
    let rateHz = 0;
    for (const { first, recent } of this.#routers.values()) {
      const [from, to] = [recent[0], recent.at(-1)];
      const last = to && countsOf(to.beat, id);
      if (!from || !to || !last) continue;
      totals = add(totals, since(last, countsOf(first, id)));
      if (to.atMs > from.atMs) rateHz += (since(last, countsOf(from.beat, id)).accepted / (to.atMs - from.atMs)) * 1000;
    }
    const alive = routers.filter(isAlive);
    const counts = alive.map(({ beat }) => countsOf(beat, id)).filter(count => count !== undefined);
    const worst = (field: 'p50Ms' | 'p99Ms'): number | undefined =>
      counts.reduce<number | undefined>((most, count) => (count[field] > (most ?? 0) ? count[field] : most), undefined);
    const ended = totals.ok + totals.late + totals.dropped + totals.failed;
    const planned = plan?.queries.find(one => one.query === query && one.tenant === tenant);
    const first = planned?.stages[0];
    return {
      tenant,
      query,
      objectiveMs: first && first.budgetMs + first.reserveMs,
      rateHz,
      ok: totals.ok,
      late: totals.late,
      dropped: totals.dropped,
      failed: totals.failed,
      rejected: totals.rejected,
      badShare: ended === 0 ? 0 : (ended - totals.ok) / ended,
      p50Ms: worst('p50Ms'),
      p99Ms: worst('p99Ms'),
      refused: plan?.refused.find(one => one.query === query && one.tenant === tenant)?.reason,
      stages: stagesOf(alive, id),
    };
  }
}

/** Adds a beat; answers the first and last beats of a process that a new one of the same name has replaced. */
function track<B>(
  all: Map<string, Track<B>>,
  name: string,
  beat: B,
  nowMs: number,
  isNew: (before: B, after: B) => boolean,
): { first: B; last: B } | undefined {
  const known = all.get(name);
  const last = known?.recent.at(-1)?.beat;
  if (!known || last === undefined || isNew(last, beat)) {
    all.set(name, { first: beat, recent: [{ atMs: nowMs, beat }] });
    return known && last !== undefined ? { first: known.first, last } : undefined;
  }
  known.recent.push({ atMs: nowMs, beat });
  while (known.recent.length > 2 && nowMs - known.recent[0]!.atMs > SPAN_MS) known.recent.shift();
  return undefined;
}

const keyOf = ({ tenant, query }: { tenant: string; query: string }): string => `${tenant}/${query}`;
const countsOf = (beat: RouterBeat, { tenant, query }: { tenant: string; query: string }): QueryCounts | undefined =>
  beat.queries.find(one => one.query === query && one.tenant === tenant);

const zero = (): Totals => ({ accepted: 0, ok: 0, late: 0, dropped: 0, failed: 0, rejected: 0 });
const combine = (f: (name: keyof Totals) => number): Totals => {
  const totals = zero();
  for (const name of Object.keys(totals) as (keyof Totals)[]) totals[name] = f(name);
  return totals;
};
const add = (a: Totals, b: Totals): Totals => combine(name => a[name] + b[name]);
const since = (now: QueryCounts, before: QueryCounts | undefined): Totals =>
  combine(name => Math.max(0, now[name] - (before?.[name] ?? 0)));

function stagesOf(routers: readonly Seen<RouterBeat>[], id: { tenant: string; query: string }): QueryView['stages'] {
  const stages = new Map<string, { rateHz: number; weighted: number }>();
  for (const { beat } of routers) {
    for (const { stage, rateHz, fanout, ...of } of beat.stages) {
      if (keyOf(of) !== keyOf(id)) continue;
      const sum = stages.get(stage) ?? { rateHz: 0, weighted: 0 };
      stages.set(stage, { rateHz: sum.rateHz + rateHz, weighted: sum.weighted + rateHz * fanout });
    }
  }
  return [...stages].map(([stage, { rateHz, weighted }]) => ({
    stage,
    rateHz,
    fanout: rateHz > 0 ? weighted / rateHz : 0,
  }));
}
