import type { Curve } from '../curve.ts';
import type { CapacityHost, CapacityPlan, SessionDemand, Workload } from './workload.ts';

const SLACK = 1 + 1e-6;

/** One batch stream of a host: a session, or the sessions behind one prefix. */
interface Stream {
  readonly names: readonly string[];
  readonly batch: number;
  readonly batchMin: number;
  readonly runMs: number;
  readonly leastRunMs: number;
  /** Objective less what isn't the device's, the tightest of its sessions. */
  readonly deviceMs: number;
  readonly aroundMs: number;
  readonly perMs: number;
  readonly statedMs: number;
  readonly sloMs: number;
}

/** Every objective by the plan's own model: the squishy rule on single hosts, the staggered rules in pools. */
export function checkLatency(workload: Workload, plan: CapacityPlan): string[] {
  const pools = new Map<string, CapacityHost[]>();
  for (const host of plan.hosts) {
    const pool = pools.get(host.pool);
    if (pool) pool.push(host);
    else pools.set(host.pool, [host]);
  }
  const demands = new Map(workload.sessions.map(session => [session.name, session]));
  const problems: string[] = [];
  for (const [name, hosts] of pools) {
    const first = hosts[0]!;
    const alike = hosts.every(host => host.kind === first.kind && same(host.sessions, first.sessions));
    if (!alike) {
      problems.push(`the hosts of ${name} don't hold the same`);
      continue;
    }
    const streams = streamsOf(first, hosts.length, workload, demands);
    if (typeof streams === 'string') problems.push(streams);
    else {
      const found = hosts.length === 1 ? checkSingle(first, streams) : checkPool(hosts.length, streams);
      problems.push(...found.map(problem => `${name}: ${problem}`));
    }
  }
  return problems;
}

const same = (a: CapacityHost['sessions'], b: CapacityHost['sessions']): boolean =>
  a === b || JSON.stringify(a) === JSON.stringify(b);

function streamsOf(
  host: CapacityHost,
  hosts: number,
  workload: Workload,
  demands: ReadonlyMap<string, SessionDemand>,
): Stream[] | string {
  const groups = new Map<string, CapacityHost['sessions'][number][]>();
  for (const session of host.sessions) {
    const key = session.prefix === undefined ? `s ${session.name}` : `p ${session.prefix} ${session.prefixBatch}`;
    groups.set(key, [...(groups.get(key) ?? []), session]);
  }
  const streams: Stream[] = [];
  for (const sessions of groups.values()) {
    const stream = streamOf(sessions, host.kind, hosts, workload, demands);
    if (typeof stream === 'string') return stream;
    streams.push(stream);
  }
  return streams;
}

function streamOf(
  sessions: readonly CapacityHost['sessions'][number][],
  kind: string,
  hosts: number,
  workload: Workload,
  demands: ReadonlyMap<string, SessionDemand>,
): Stream | string {
  const { prefix: prefixName, prefixBatch } = sessions[0]!;
  const prefix: Curve | undefined = prefixName === undefined ? undefined : workload.curves.find(prefixName, kind);
  const suffixes: { batch: number; runMs: number; leastMs: number; aroundMs: number }[] = [];
  let sloMs = Infinity;
  let perMs = 0;
  let statedMs = 0;
  for (const { name, model, batch, rateHz, latencyMs } of sessions) {
    const curve = workload.curves.find(model, kind);
    const demand = demands.get(name);
    if (!curve || !demand) return `${name}: no profile of ${model}, or nobody asked for it`;
    if (batch < curve.batchMin || batch > curve.batchMax) return `${name}: a batch of ${batch}`;
    const leastMs = curve.latencyMs(curve.batchMin);
    suffixes.push({ batch, runMs: curve.latencyMs(batch), leastMs, aroundMs: curve.aroundMs });
    sloMs = Math.min(sloMs, demand.sloMs);
    perMs += (rateHz * hosts) / 1000;
    statedMs = Math.max(statedMs, latencyMs);
    if (latencyMs > demand.sloMs * SLACK) return `${name}: ${latencyMs} ms, the objective is ${demand.sloMs}`;
  }
  const batch = prefix ? prefixBatch! : suffixes[0]!.batch;
  const costly = (ms: (s: (typeof suffixes)[number]) => number, most: number): number =>
    suffixes
      .map(ms)
      .sort((a, b) => b - a)
      .slice(0, most)
      .reduce((sum, each) => sum + each, 0);
  const aroundMs = (prefix?.aroundMs ?? 0) + Math.max(...suffixes.map(s => s.aroundMs));
  const batchMin = prefix?.batchMin ?? workload.curves.get(sessions[0]!.model, kind).batchMin;
  return {
    names: sessions.map(s => s.name),
    batch,
    batchMin,
    runMs: (prefix?.latencyMs(batch) ?? 0) + costly(s => s.runMs, prefix ? batch : 1),
    leastRunMs: (prefix?.latencyMs(batchMin) ?? 0) + costly(s => s.leastMs, prefix ? batchMin : 1),
    deviceMs: sloMs - aroundMs,
    aroundMs,
    perMs,
    statedMs,
    sloMs,
  };
}

/** Σℓ ≤ d, d + ℓ ≤ L, b ≥ d·r; or a device for one session alone, whose smallest batch fits once but not twice. */
function checkSingle(host: CapacityHost, streams: readonly Stream[]): string[] {
  const only = streams[0];
  if (streams.length === 1 && only && 2 * only.leastRunMs > only.deviceMs) {
    const fits = only.runMs <= only.deviceMs * SLACK && only.perMs * only.runMs <= only.batch * SLACK;
    return fits ? [] : [`${only.names.join(', ')} doesn't fit on a device of its own`];
  }
  const problems: string[] = [];
  const busyMs = streams.reduce((sum, stream) => sum + stream.runMs, 0);
  if (busyMs > host.dutyMs * SLACK) problems.push(`${busyMs} ms of work in a cycle of ${host.dutyMs} ms`);
  for (const s of streams) {
    const who = s.names.join(', ');
    const worstMs = host.dutyMs + s.runMs;
    if (worstMs > s.deviceMs * SLACK) problems.push(`${who}: ${worstMs} ms on the device, allowed are ${s.deviceMs}`);
    if (worstMs + s.aroundMs > s.statedMs * SLACK) problems.push(`${who}: takes longer than the plan says`);
    if (s.perMs * host.dutyMs > s.batch * SLACK + 1e-6) problems.push(`${who}: more arrive in a cycle than ${s.batch}`);
  }
  return problems;
}

/** Turns, arrival, capacity and blocking. */
function checkPool(hosts: number, streams: readonly Stream[]): string[] {
  const problems: string[] = [];
  const busy = streams.reduce((sum, s) => sum + busyOf(s), 0);
  if (busy > hosts * SLACK) problems.push(`${busy} devices of work on ${hosts}`);
  const byUrgency = streams.toSorted((a, b) => a.deviceMs - b.deviceMs);
  let urgent = 0;
  let next = 0;
  const longestAfter = new Float64Array(byUrgency.length + 1);
  for (let i = byUrgency.length - 1; i >= 0; i--) longestAfter[i] = Math.max(longestAfter[i + 1]!, byUrgency[i]!.runMs);
  for (const s of byUrgency) {
    while (next < byUrgency.length && byUrgency[next]!.deviceMs <= s.deviceMs) urgent += busyOf(byUrgency[next++]!);
    const who = s.names.join(', ');
    const fillMs = s.batch > s.batchMin ? (s.batch - 1) / s.perMs : 0;
    const longestMs = longestAfter[next] ?? 0;
    const blockedMs = longestMs === 0 ? 0 : longestMs / Math.max(0, hosts - urgent);
    const worstMs = s.runMs + Math.max(fillMs, s.runMs / hosts, blockedMs);
    if (worstMs > s.deviceMs * SLACK) problems.push(`${who}: ${worstMs} ms on the device, allowed are ${s.deviceMs}`);
    if (worstMs + s.aroundMs > s.statedMs * SLACK) problems.push(`${who}: takes longer than the plan says`);
  }
  return problems;
}

/** Devices of work: r·ℓ(b)/b, or as often as its inputs allow where the smallest batch doesn't fill in time. */
function busyOf(s: Stream): number {
  if (s.perMs === 0) return 0;
  if (s.runMs + (s.batch - 1) / s.perMs <= s.deviceMs * SLACK) return (s.perMs * s.runMs) / s.batch;
  return s.runMs * Math.min(s.perMs, Math.max(s.perMs / s.batch, 1 / (s.deviceMs - s.runMs)));
}
