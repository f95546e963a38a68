import { checkCopies } from './check-copies.ts';
import { checkLatency } from './check-latency.ts';
import type { CapacityHost, CapacityPlan, Workload } from './workload.ts';

const EPSILON = 1e-6;

/**
 * Judges a plan from its own words and the workload alone, without the planner's code: devices that are on offer, memory,
 * objectives by the rules of docs/planning.md, every session's rate served or refused (queries as a whole), copies and
 * zones, cost and bound.
 * @returns what is wrong, one sentence each; none: a good plan
 */
export function checkPlan(workload: Workload, plan: CapacityPlan): string[] {
  return [
    ...checkDevices(workload, plan),
    ...plan.hosts.flatMap(host => checkMemory(workload, host)),
    ...checkLatency(workload, plan),
    ...checkService(workload, plan),
    ...checkCopies(workload, plan),
    ...checkSums(plan),
  ];
}

type Offered = Pick<CapacityHost, 'kind' | 'zone' | 'memoryBytes' | 'pricePerHour' | 'revocable'>;
const termsOf = (o: Offered): string => `${o.kind} ${o.zone} ${o.memoryBytes} ${o.pricePerHour} ${o.revocable}`;

function checkDevices(workload: Workload, plan: CapacityPlan): string[] {
  const problems: string[] = [];
  const ids = new Set(plan.hosts.map(host => host.id));
  if (ids.size !== plan.hosts.length) problems.push('two hosts have one id');
  const offered = new Map<string, number>();
  for (const offer of workload.devices) offered.set(termsOf(offer), (offered.get(termsOf(offer)) ?? 0) + offer.count);
  const used = new Map<string, number>();
  for (const host of plan.hosts) used.set(termsOf(host), (used.get(termsOf(host)) ?? 0) + 1);
  for (const [terms, count] of used) {
    const most = Math.floor(offered.get(terms) ?? 0);
    if (count > most) problems.push(`${count} devices of ${terms}, ${most} on offer`);
  }
  return problems;
}

/** ΣP + max E ≤ C */
function checkMemory(workload: Workload, host: CapacityHost): string[] {
  const persistent = new Map<string, number>();
  let ephemeral = 0;
  for (const session of host.sessions) {
    const parts: [string, number][] = [[session.model, session.batch]];
    if (session.prefix !== undefined) parts.push([session.prefix, session.prefixBatch ?? session.batch]);
    for (const [model, batch] of parts) {
      const curve = workload.curves.find(model, host.kind);
      if (!curve) return [`${host.id}: no profile of ${model} on ${host.kind}`];
      if (batch < curve.batchMin || batch > curve.batchMax) return [`${host.id}: ${model} with a batch of ${batch}`];
      persistent.set(model, curve.persistentBytes);
      ephemeral = Math.max(ephemeral, curve.ephemeralBytes(batch));
    }
  }
  const needed = [...persistent.values()].reduce((sum, bytes) => sum + bytes, ephemeral);
  return needed <= host.memoryBytes ? [] : [`${host.id}: needs ${needed} of ${host.memoryBytes} bytes`];
}

function checkService(workload: Workload, plan: CapacityPlan): string[] {
  const problems: string[] = [];
  const servedHz = new Map<string, number>();
  for (const host of plan.hosts) {
    for (const { name, rateHz } of host.sessions) servedHz.set(name, (servedHz.get(name) ?? 0) + rateHz);
  }
  const refused = new Set(plan.refused.map(r => r.session));
  if (refused.size !== plan.refused.length) problems.push('a session is refused twice');
  const known = new Set(workload.sessions.map(session => session.name));
  for (const name of [...servedHz.keys(), ...refused]) if (!known.has(name)) problems.push(`${name} was not asked for`);
  const queries = new Map<string, boolean>();
  for (const session of workload.sessions) {
    const hz = servedHz.get(session.name);
    const isServed = hz !== undefined;
    if (isServed === refused.has(session.name)) {
      problems.push(`${session.name}: ${isServed ? 'served and refused' : 'neither served nor refused'}`);
    }
    if (hz !== undefined && Math.abs(hz - session.rateHz) > EPSILON * Math.max(1, session.rateHz)) {
      problems.push(`${session.name}: ${hz} of ${session.rateHz} Hz are served`);
    }
    if (session.query === undefined) continue;
    const query = `${session.tenant} ${session.query}`;
    if ((queries.get(query) ?? isServed) !== isServed) problems.push(`query ${session.query} is served in part`);
    queries.set(query, isServed);
  }
  for (const { session, reason } of plan.refused) if (reason === '') problems.push(`${session}: refused for no reason`);
  return problems;
}

function checkSums(plan: CapacityPlan): string[] {
  const problems: string[] = [];
  const cost = plan.hosts.reduce((sum, host) => sum + host.pricePerHour, 0);
  if (plan.gpus !== plan.hosts.length) problems.push(`${plan.gpus} GPUs are said, ${plan.hosts.length} planned`);
  if (Math.abs(cost - plan.costPerHour) > EPSILON * Math.max(1, cost)) problems.push(`the cost is ${cost}`);
  const { bound } = plan;
  if (bound.gpus > plan.gpus + EPSILON) problems.push(`${plan.gpus} GPUs are below the bound of ${bound.gpus}`);
  if (bound.costPerHour > cost + EPSILON) problems.push(`a cost of ${cost} is below the bound of ${bound.costPerHour}`);
  return problems;
}
