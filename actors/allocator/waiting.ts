import { garbage, memoryWith } from '../../allocator/index.ts';
import {
  cutOf,
  isSuffix,
  prefixId,
  type HostBeat,
  type Plan,
  type PlannedHost,
  type Resident,
} from '../../contracts/index.ts';
import type { Cluster } from './cluster.ts';
import type { Step } from './steps.ts';

const names = (models: readonly string[]): string => models.map(id => id.split('@')[0]).join(', ');

const isReady = (planned: PlannedHost['models'][number], residents: readonly Resident[]): boolean =>
  residents.some(
    r =>
      r.model === planned.model && r.state === 'resident' && planned.batches.every(batch => r.batches.includes(batch)),
  );

const isUnderWay = ({ state }: Resident): boolean => state === 'fetching' || state === 'loading' || state === 'warming';

/** Models of the plan that the host lacks or has not warmed up. */
export const lacking = (planned: PlannedHost, beat: HostBeat | undefined): PlannedHost['models'] =>
  planned.models.filter(model => !isReady(model, beat?.residents ?? []));

/** One of so many hosts at a time, or one, runs larger batches than before to warm them up: meanwhile those that serve there wait. */
const WARMING_SHARE = 1 / 16;

/**
 * What is left to do before the candidate can be committed: hosts load what is new beside what is in force; only what
 * neither plan wants is released before, and only where memory asks for it.
 */
export function toPrepare(candidate: Plan, inForce: Plan | undefined, cluster: Cluster): Step[] {
  let turns = Math.ceil(WARMING_SHARE * candidate.hosts.length);
  return allToPrepare(candidate, inForce, cluster).map(({ order, ...step }) => {
    if (!order) return step;
    const serves = order.verb === 'prepare' && order.models.every(({ model }) => isResident(step.host, model, cluster));
    return !serves || turns-- > 0 ? { ...step, order } : { ...step, queued: true };
  });
}

const isResident = (host: string, model: string, cluster: Cluster): boolean =>
  cluster.ready(host)?.residents.some(r => r.model === model && r.state === 'resident') ?? false;

/** Without regard to turns. */
function allToPrepare(candidate: Plan, inForce: Plan | undefined, cluster: Cluster): Step[] {
  let stays: ReadonlySet<string> | undefined;
  return candidate.hosts.flatMap((planned): Step[] => {
    const { host } = planned;
    const beat = cluster.ready(host);
    if (!beat) return [{ host, waitingFor: `${host} to be ready` }];
    const missing = lacking(planned, beat);
    if (missing.length === 0) return [];
    const failed = beat.residents
      .filter(r => r.state === 'failed' && missing.some(m => m.model === r.model))
      .map(({ model, detail }) => ({ model, detail: detail ?? 'it can not be loaded' }));
    if (failed.length > 0) return [{ host, waitingFor: `${host} failed`, failed }];
    const going = beat.residents.filter(r => r.state === 'releasing').map(r => r.model);
    if (going.length > 0) return [{ host, waitingFor: `${host} to release ${names(going)}` }];
    const old = inForce?.hosts.find(h => h.host === host);
    const held = { memoryBytes: beat.device.memoryBytes, residents: beat.residents };
    const useless = garbage(held, planned, old);
    const keep = useless.length > 0 ? keptWhereTight(planned, old, { ...held, useless }, candidate) : undefined;
    if (keep) return [{ host, waitingFor: `${host} to release ${names(useless)}`, order: { verb: 'release', keep } }];
    const waitingFor = `${host} to load ${names(missing.map(m => m.model))}`;
    const ordered = missing.filter(m => !beat.residents.some(r => r.model === m.model && isUnderWay(r)));
    if (ordered.length === 0) return [{ host, waitingFor }];
    // What no host that stays has comes first: if the one that leaves it is gone too early, the rest is served elsewhere.
    stays ??= residentOn(candidate.hosts, cluster);
    const isThere = ({ model }: { readonly model: string }): number => Number(stays!.has(model));
    const models = ordered.toSorted((one, other) => isThere(one) - isThere(other));
    return [{ host, waitingFor, order: { verb: 'prepare', models } }];
  });
}

/** What the host keeps when all that neither plan wants has to go first; undefined: the rest fits beside it. */
function keptWhereTight(
  planned: PlannedHost,
  old: PlannedHost | undefined,
  held: { readonly memoryBytes: number; readonly residents: readonly Resident[]; readonly useless: readonly string[] },
  candidate: Plan,
): string[] | undefined {
  const { memoryBytes, residents, useless } = held;
  const both = [...planned.models, ...(old?.models ?? []).filter(m => residents.some(r => r.model === m.model))];
  const uselessBytes = residents.filter(r => useless.includes(r.model)).reduce((sum, r) => sum + r.persistentBytes, 0);
  const distinct = both.filter((m, i) => both.findIndex(n => n.model === m.model) === i);
  const needed = memoryWith(distinct, planned.kind, held, { ...candidate }) + uselessBytes;
  return needed > memoryBytes ? distinct.map(m => m.model) : undefined;
}

/** Models that at least one of these hosts can serve. */
const residentOn = (hosts: readonly PlannedHost[], cluster: Cluster): ReadonlySet<string> =>
  new Set(
    hosts.flatMap(({ host }) =>
      (cluster.ready(host)?.residents ?? []).filter(r => r.state === 'resident').map(r => r.model),
    ),
  );

/** Hosts that hold all and would still obey whoever led before: an order of theirs may be on its way. */
export const toObey = (candidate: Plan, cluster: Cluster): Step[] =>
  candidate.hosts.flatMap((planned): Step[] => {
    const { host } = planned;
    const beat = cluster.ready(host);
    if (!beat || beat.nonce === candidate.nonce || lacking(planned, beat).length > 0) return [];
    return [{ host, waitingFor: `${host} to obey a new leader`, order: { verb: 'prepare', models: [] } }];
  });

/** Routers and batchers that don't follow the plan yet. */
export function toFollow(plan: Plan, cluster: Cluster): string[] {
  const routers = [...cluster.routers].filter(([, { beat }]) => beat.epoch < plan.epoch).map(([who]) => who);
  const batchers = [...cluster.batchers]
    .filter(([, { beat }]) => beat.epoch < plan.epoch || (beat.epoch === plan.epoch && beat.nonce !== plan.nonce))
    .map(([who]) => who);
  return [...routers, ...batchers].map(who => `${who} to follow epoch ${plan.epoch}`);
}

/** Somebody follows a plan that isn't below this one: only a new one brings all together. */
export const isOutdone = ({ epoch, nonce }: Plan, cluster: Cluster): boolean =>
  cluster.foreignEpoch(nonce) >= epoch || cluster.followedEpoch() > epoch;

/** By host. Asked for with nearly every beat of any host. */
function modelsOn(plan: Plan): ReadonlyMap<string, PlannedHost['models']> {
  let models = modelsByPlan.get(plan);
  if (!models) modelsByPlan.set(plan, (models = new Map(plan.hosts.map(planned => [planned.host, planned.models]))));
  return models;
}

const modelsByPlan = new WeakMap<Plan, ReadonlyMap<string, PlannedHost['models']>>();

/** What hosts hold beyond the plan in force, and hosts that should go and are empty. */
export function toDrain(
  plan: Plan,
  cluster: Cluster,
  draining: ReadonlySet<string>,
  measured: { readonly host: string; readonly model: string } | undefined,
): Step[] {
  const planned = modelsOn(plan);
  const steps: Step[] = [];
  for (const [host, { beat }] of cluster.hosts) {
    const models = planned.get(host) ?? [];
    if (beat.state !== 'ready') {
      if (beat.state === 'leaving') steps.push({ host, waitingFor: `${host} to leave` });
    } else if (measured?.host !== host && beat.residents.every(({ model }) => models.some(m => m.model === model))) {
      // As it is with every host at nearly every beat: nothing is made for it.
      if (models.length === 0 && draining.has(host))
        steps.push({ host, waitingFor: `${host} to leave`, order: { verb: 'leave' } });
    } else {
      const keep = models.map(m => m.model);
      if (measured?.host === host) {
        keep.push(measured.model);
        if (isSuffix(measured.model)) keep.push(prefixId(cutOf(measured.model)!));
      }
      const extra = beat.residents.map(r => r.model).filter(model => !keep.includes(model));
      const waitingFor = `${host} to release ${names(extra)}`;
      if (extra.length > 0) steps.push({ host, waitingFor, order: { verb: 'release', keep: [...new Set(keep)] } });
    }
  }
  return steps;
}
