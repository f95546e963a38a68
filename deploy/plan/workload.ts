import { analyseQuery, stageRates, tooShort, type BatchRule } from '../../allocator/query/index.ts';
import { curvesOf, type Curves } from '../../allocator/index.ts';
import type { DeviceOffer, RefusedSession, SessionDemand, Workload } from '../../allocator/capacity/index.ts';
import { DEFAULT_TENANT } from '../../contracts/index.ts';
import { parentsOf } from './check.ts';
import type { WorkloadFile } from './read.ts';
import type { QueryEntry, WorkloadDocument } from './schema.ts';
import { withWholes } from './whole.ts';

/** A workload ready to be planned, and what became of its queries. */
export interface PreparedWorkload {
  readonly workload: Workload;
  /** Query → stage → ms. */
  readonly splits: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Queries that no split can serve. */
  readonly refused: readonly RefusedSession[];
  readonly notes: readonly string[];
}

const MB = 1e6;

/** Splits the queries by the rule that the policy plans with, and puts all in the planner's words and units. */
export function prepareWorkload({ document, profiles }: WorkloadFile, rule: BatchRule): PreparedWorkload {
  const measured = curvesOf(profiles, () => undefined);
  const prefixes = (document.prefixes ?? []).map(({ members, prefix, suffixes }) => ({
    members,
    prefix,
    suffixes: new Map(Object.entries(suffixes)),
  }));
  const models = prefixes.length === 0 ? undefined : modelsOf(document);
  const curves = models ? withWholes(measured, prefixes, session => models.get(session)) : measured;
  const devices = document.devices.map(
    (device): DeviceOffer => ({
      kind: device.kind,
      count: device.count ?? Number.POSITIVE_INFINITY,
      memoryBytes: device.memoryMB * MB,
      pricePerHour: device.pricePerHour ?? 1,
      revocable: device.revocable ?? false,
      zone: device.zone ?? 'default',
    }),
  );
  const sessions: SessionDemand[] = (document.sessions ?? []).map(session => ({
    ...demandOf(session),
    name: session.name,
    model: session.model,
    sloMs: session.sloMs,
    query: undefined,
  }));
  const splits: Record<string, Record<string, number>> = {};
  const refused: RefusedSession[] = [];
  for (const query of document.queries ?? []) {
    const analysed = analyse(query, devices, curves, rule);
    if ('reason' in analysed) refused.push(analysed);
    else {
      splits[query.name] = analysed.split;
      sessions.push(...analysed.sessions);
    }
  }
  return {
    workload: { devices, sessions, prefixes, curves },
    splits,
    refused,
    notes: notesOf(document, profiles, curves),
  };
}

/** Session, or `<query>.<stage>` → model. */
const modelsOf = (document: WorkloadDocument): Map<string, string> =>
  new Map([
    ...(document.sessions ?? []).map(session => [session.name, session.model] as const),
    ...(document.queries ?? []).flatMap(query =>
      Object.entries(query.stages).map(([name, stage]) => [`${query.name}.${name}`, stage.model] as const),
    ),
  ]);

const demandOf = (entry: NonNullable<WorkloadDocument['sessions']>[number] | QueryEntry) => ({
  tenant: entry.tenant ?? DEFAULT_TENANT,
  rateHz: entry.rateHz,
  rateVariation: entry.rateVariation ?? 0,
  priority: entry.priority ?? 0,
  replicasMin: entry.replicasMin ?? 1,
});

type Analysed = { readonly split: Record<string, number>; readonly sessions: readonly SessionDemand[] };

/** One session per stage, `<query>.<stage>`, with its share of the objective; or why no share will do. */
function analyse(
  query: QueryEntry,
  devices: readonly DeviceOffer[],
  curves: Curves,
  rule: BatchRule,
): Analysed | RefusedSession {
  const graph = Object.entries(query.stages).map(([name, stage]) => ({ name, from: parentsOf(stage), stage }));
  const rates = stageRates(graph, query.rateHz, (from, to) => {
    const fanout = query.stages[to]!.fanout ?? 1;
    return typeof fanout === 'number' ? fanout : (fanout[from] ?? 1);
  });
  const networkMs = query.networkMs ?? 0;
  const stages = graph.map(({ name, from, stage }) => ({ name, from, model: stage.model, rateHz: rates.get(name)! }));
  const view = { kinds: devices, curves, rule, networkMs };
  const split = analyseQuery(stages, query.sloMs, view);
  if (!split) {
    const { leastMs, nearestMs: nearestSloMs } = tooShort(stages, view);
    const detail = [...leastMs].map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`).join(', ');
    const reason = [...leastMs.values()].includes(Number.POSITIVE_INFINITY)
      ? `no device has the memory for all of its stages (least time: ${detail})`
      : `${query.sloMs} ms are too short: its stages need ${detail}`;
    return { session: query.name, reason, nearestSloMs };
  }
  const sessions = graph.map(({ name, stage }) => ({
    ...demandOf(query),
    name: `${query.name}.${name}`,
    model: stage.model,
    // What the network takes is spent before and after the session's own time.
    sloMs: split.shareMs.get(name)! - networkMs,
    rateHz: rates.get(name)!,
    query: query.name,
  }));
  return { split: Object.fromEntries(split.shareMs), sessions };
}

function notesOf(document: WorkloadDocument, profiles: WorkloadFile['profiles'], curves: Curves): string[] {
  const used = new Set(document.devices.map(device => device.kind));
  const models = new Set([
    ...(document.sessions ?? []).map(session => session.model),
    ...(document.queries ?? []).flatMap(query => Object.values(query.stages).map(stage => stage.model)),
    ...(document.prefixes ?? []).flatMap(group => [group.prefix, ...Object.values(group.suffixes)]),
  ]);
  return profiles
    .filter(profile => used.has(profile.device) && models.has(profile.model))
    .flatMap(profile => curves.find(profile.model, profile.device)?.note ?? []);
}
