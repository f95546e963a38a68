import {
  curveOf as dispatchCurve,
  hybrid,
  type Curve as DispatchCurve,
} from '../../actors/prefix-batcher/policy/index.ts';
import { lowerBound, type CapacityPlan, type SessionDemand, type Workload } from '../../allocator/capacity/index.ts';
import type { Curve } from '../../allocator/index.ts';
import { Simulation, type SimGroup, type SimOptions, type SimPool, type SimSession } from '../lib/simulate.ts';

/** The share of invocations that must be in time. */
export const GOOD = 0.99;
/** Production lets no batch run longer than this share of what the device has (allocator/hosts.ts). */
const RUN_SHARE_MAX = 0.75;

/** How long a run is judged. It ends early once the answer is clear. */
const SEGMENT_INVOCATIONS = 8000;
const SEGMENT_OBJECTIVES = 4;
const SEGMENTS = { warmUp: 1, least: 8, most: 60 };
/** Standard errors between what is seen and {@link GOOD} that end a run early. */
const CLEAR = 4;

export interface Verdict {
  readonly goodShare: number;
  /** Standard error of it, from the means of segments of the run. */
  readonly error: number;
  /** Of the session that got the least. */
  readonly worstShare: number;
  readonly invocations: number;
}

export const serves = (verdict: Verdict): boolean => verdict.goodShare >= GOOD;

/** Runs until it is clear whether 99 % are in time, or long enough to tell within about 0.1 %. */
function judge(options: Omit<SimOptions, 'policy'>): Verdict {
  const { sessions } = options;
  const totalPerMs = sessions.reduce((sum, { rateHz }) => sum + rateHz, 0) / 1000;
  const longestMs = sessions.reduce((most, { objectiveMs }) => Math.max(most, objectiveMs), 0);
  const segmentMs = Math.max(SEGMENT_INVOCATIONS / totalPerMs, SEGMENT_OBJECTIVES * longestMs);
  const run = new Simulation({ ...options, policy: hybrid });
  run.runUntil(SEGMENTS.warmUp * segmentMs);
  const before = run.counts.map(count => ({ ...count }));
  const shares: number[] = [];
  let [good, all] = sums(before);
  let error = Infinity;
  while (shares.length < SEGMENTS.most) {
    run.runUntil(run.nowMs + segmentMs);
    const [goodNow, allNow] = sums(run.counts);
    shares.push((goodNow - good) / Math.max(1, allNow - all));
    [good, all] = [goodNow, allNow];
    error = standardError(shares);
    if (shares.length >= SEGMENTS.least && Math.abs(mean(shares) - GOOD) > CLEAR * error) break;
  }
  const [goodBefore, allBefore] = sums(before);
  const worst = run.counts.map((count, i) => {
    const own = count.good - before[i]!.good;
    const ended = own + count.bad - before[i]!.bad;
    return ended === 0 ? 1 : own / ended;
  });
  return {
    goodShare: (good - goodBefore) / Math.max(1, all - allBefore),
    error,
    worstShare: Math.min(...worst),
    invocations: all - allBefore,
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function standardError(values: readonly number[]): number {
  if (values.length < 2) return Infinity;
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}

const sums = (counts: readonly { good: number; bad: number }[]): [good: number, all: number] =>
  counts.reduce(([good, all], count) => [good + count.good, all + count.good + count.bad], [0, 0]);

/**
 * The plan as it is: its pools, each with a queue for each model; a session that is in several pools goes to them by turns in
 * proportion to its rates there. `load` times the workload's rates arrive, which needn't be those that were planned for.
 */
export function judgePlan(workload: Workload, plan: CapacityPlan, options: { seed: number; load?: number }): Verdict {
  const demands = new Map(workload.sessions.map(session => [session.name, session]));
  const byPool = new Map<string, CapacityPlan['hosts'][number][]>();
  for (const host of plan.hosts) byPool.set(host.pool, [...(byPool.get(host.pool) ?? []), host]);
  const routes = new Map<string, { pool: number; group: number; share: number }[]>();
  const pools = [...byPool.values()].map((hosts, pool): SimPool => {
    const { kind, memoryBytes, sessions } = hosts[0]!;
    const members = sessions.map(entry => ({ demand: demands.get(entry.name)!, prefix: entry.prefix }));
    const { groups, indexOf } = groupsOf(workload, members, kind, memoryBytes);
    for (const { name, rateHz } of sessions) {
      const route = { pool, group: indexOf.get(name)!, share: rateHz * hosts.length };
      routes.set(name, [...(routes.get(name) ?? []), route]);
    }
    return { hosts: hosts.length, groups };
  });
  const kindOf = new Map(plan.hosts.flatMap(host => host.sessions.map(entry => [entry.name, { host, entry }])));
  const sessions = [...routes].map(([name, own]): SimSession => {
    const { host, entry } = kindOf.get(name)!;
    const demand = demands.get(name)!;
    const objectiveMs = deviceMs(workload, demand, entry.prefix, host.kind);
    return { name, objectiveMs, rateHz: demand.rateHz * (options.load ?? 1), prefer: 'latency', routes: own };
  });
  return judge({ pools, sessions, seed: options.seed });
}

/** The fewest devices of the workload's first kind, holding everything in one pool, that really serve. */
export function smallestPool(workload: Workload, seed: number): { hosts: number; verdict: Verdict } {
  const { kind } = workload.devices[0]!;
  const prefixOf = new Map(workload.prefixes.flatMap(group => group.members.map(member => [member, group.prefix])));
  const members = workload.sessions.map(demand => ({ demand, prefix: prefixOf.get(demand.name) }));
  const { groups, indexOf } = groupsOf(workload, members, kind, Infinity);
  const sessions = members.map(({ demand, prefix }): SimSession => {
    const objectiveMs = deviceMs(workload, demand, prefix, kind);
    const routes = [{ pool: 0, group: indexOf.get(demand.name)!, share: 1 }];
    return { name: demand.name, objectiveMs, rateHz: demand.rateHz, prefer: 'latency', routes };
  });
  const bound = lowerBound(workload).gpus;
  const at = (hosts: number): Verdict => judge({ pools: [{ hosts, groups }], sessions, seed });
  let hosts = Math.max(1, Math.ceil(bound - 1e-9));
  let verdict = at(hosts);
  // Poisson arrivals come closer together at times, so that batches can be larger than the bound reckons with.
  while (serves(verdict) && hosts > 1) {
    const fewer = at(hosts - 1);
    if (!serves(fewer)) return { hosts, verdict };
    hosts--;
    verdict = fewer;
  }
  while (!serves(verdict)) {
    if (++hosts > 4 * bound + 100) throw new Error(`${hosts} devices do not serve: ${verdict.goodShare} are in time`);
    verdict = at(hosts);
  }
  return { hosts, verdict };
}

interface Member {
  readonly demand: SessionDemand;
  readonly prefix: string | undefined;
}

const deviceMs = (
  workload: Workload,
  { name, model, sloMs }: SessionDemand,
  prefix: string | undefined,
  kind: string,
) =>
  prefix === undefined
    ? sloMs - workload.curves.get(model, kind).aroundMs
    : sloMs -
      workload.curves.get(prefix, kind).aroundMs -
      workload.curves.get(suffixOf(workload, prefix, name) ?? model, kind).aroundMs;

const suffixOf = ({ prefixes }: Workload, prefix: string, name: string): string | undefined =>
  prefixes.find(group => group.prefix === prefix && group.members.includes(name))?.suffixes.get(name);

/** As the batcher makes them: a queue for each model or prefix; batches as large as objective and memory let them be. */
function groupsOf(
  workload: Workload,
  members: readonly Member[],
  kind: string,
  memoryBytes: number,
): { groups: SimGroup[]; indexOf: Map<string, number> } {
  const queues = new Map<string, Member[]>();
  for (const member of members) {
    const key = member.prefix === undefined ? member.demand.model : `prefix ${member.prefix}`;
    queues.set(key, [...(queues.get(key) ?? []), member]);
  }
  const models = new Set(members.flatMap(({ demand, prefix }) => modelsOf(workload, demand, prefix)));
  const persistent = [...models].reduce((sum, model) => sum + workload.curves.get(model, kind).persistentBytes, 0);
  const indexOf = new Map<string, number>();
  const groups = [...queues].map(([name, own], index): SimGroup => {
    for (const { demand } of own) indexOf.set(demand.name, index);
    const longestMs = Math.max(...own.map(({ demand, prefix }) => deviceMs(workload, demand, prefix, kind)));
    return groupOf(workload, name, own, kind, { runMs: RUN_SHARE_MAX * longestMs, bytes: memoryBytes - persistent });
  });
  return { groups, indexOf };
}

const modelsOf = (workload: Workload, { name, model }: SessionDemand, prefix: string | undefined): string[] =>
  prefix === undefined ? [model] : [prefix, suffixOf(workload, prefix, name) ?? model];

function groupOf(
  { curves, ...workload }: Workload,
  name: string,
  members: readonly Member[],
  kind: string,
  most: { runMs: number; bytes: number },
): SimGroup {
  const { demand, prefix } = members[0]!;
  const main = curves.get(prefix ?? demand.model, kind);
  if (prefix === undefined) {
    return { name, curve: curveUpTo(main.batchMax, b => main.latencyMs(b), fitsIn(main, most)) };
  }
  const totalHz = members.reduce((sum, one) => sum + one.demand.rateHz, 0);
  const suffixes = new Map(
    members.map(one => [
      one.demand.name,
      {
        curve: curves.get(suffixOf({ curves, ...workload }, prefix, one.demand.name) ?? one.demand.model, kind),
        share: one.demand.rateHz / totalHz,
      },
    ]),
  );
  const suffixMs = (curve: Curve, batch: number): number =>
    batch <= 0 ? 0 : curve.latencyMs(Math.min(curve.batchMax, Math.max(curve.batchMin, Math.ceil(batch - 1e-9))));
  const mixed = (batch: number): number =>
    [...suffixes.values()]
      .map(({ curve, share }) => suffixMs(curve, batch * share))
      .sort((a, b) => b - a)
      .slice(0, batch)
      .reduce((sum, ms) => sum + ms, main.latencyMs(batch));
  return {
    name,
    curve: curveUpTo(main.batchMax, mixed, fitsIn(main, most)),
    runMs: counts => {
      let batch = 0;
      let ms = 0;
      for (const [session, count] of counts) {
        batch += count;
        ms += suffixMs(suffixes.get(session)!.curve, count);
      }
      return ms + main.latencyMs(Math.max(main.batchMin, batch));
    },
  };
}

const fitsIn =
  (curve: Curve, most: { runMs: number; bytes: number }) =>
  (batch: number): boolean =>
    curve.latencyMs(batch) <= most.runMs && curve.ephemeralBytes(batch) <= most.bytes;

function curveUpTo(
  batchMax: number,
  latencyMs: (batch: number) => number,
  fits: (batch: number) => boolean,
): DispatchCurve {
  let most = 1;
  while (most < batchMax && fits(most + 1)) most++;
  const points = Array.from({ length: most }, (_, i) => {
    const meanMs = latencyMs(i + 1);
    return { batch: i + 1, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: 0, repeats: 1 };
  });
  return dispatchCurve({ points }, most);
}
