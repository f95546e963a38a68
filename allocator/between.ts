import { cutOf, isPrefix, isSuffix, modelOf, prefixId, type Plan, type PlannedHost } from '../contracts/index.ts';
import { memoryWith, type Holdings } from './holdings.ts';
import { compareText } from './packing.ts';
import type { Draft } from './planner.ts';

/** The plan whose models are in use; of one that isn't known only what hosts hold, without profiles. */
export type InUse = Pick<Plan, 'hosts' | 'sessions'> & Partial<Pick<Plan, 'profiles'>>;

type Models = PlannedHost['models'];

/** A host on its way from one plan to the next. */
export interface Site {
  /** What the next plan gives it. */
  readonly host: PlannedHost;
  /** What it holds of the plan in use: what it lost when it was started anew, it need not keep. */
  readonly old: Models;
  /** Memory can't hold both. */
  readonly crowded: boolean;
  /** Whether it can hold these beside the old ones. */
  readonly fits: (models: Models) => boolean;
}

export interface Step {
  readonly hosts: readonly PlannedHost[];
  /** Models that are served for one more step by what the plan in use holds: the part that serves each. */
  readonly kept: ReadonlyMap<string, string>;
}

/** Hosts of either plan, those of the next one first. */
export function sitesOf(draft: Draft, current: InUse | undefined, holdings: ReadonlyMap<string, Holdings>): Site[] {
  const leaving = current?.hosts.filter(({ host }) => !draft.hosts.some(h => h.host === host)) ?? [];
  return [...draft.hosts, ...leaving.map(host => ({ ...host, models: [] }))].map(host => {
    const held = holdings.get(host.host);
    const planned = current?.hosts.find(h => h.host === host.host)?.models ?? [];
    const old = planned.filter(({ model }) => held?.residents.some(r => r.model === model));
    const fits = (models: Models): boolean =>
      !held || memoryWith(union(models, old), host.kind, held, draft) <= held.memoryBytes;
    const isHeld = ({ model }: Models[number]): boolean => held?.residents.some(r => r.model === model) ?? false;
    const moves = !host.models.every(isHeld) && union(host.models, old).length > host.models.length;
    return { host, old, crowded: moves && !fits(host.models), fits };
  });
}

/**
 * The next plan as far as memory allows. A model that is served now and would be nowhere is loaded where it is to be, if it fits beside the
 * old; else hosts that have room keep it, else one that has none.
 * @returns what would be nowhere, if nothing would be gained so
 */
export function stepFrom(
  sites: readonly Site[],
  draft: Draft,
  current: InUse | undefined,
): Step | { readonly lost: readonly string[] } {
  const servedNow = new Set(sites.flatMap(({ old }) => served(old)));
  const used = new Set(current?.sessions.map(session => session.model));
  const wanted = [...new Set(draft.sessions.map(s => s.model))].filter(m => servedNow.has(m) && used.has(m));
  const then = new Map(sites.map(site => [site, site.crowded ? inCommon(site) : site.host.models]));
  const lost = (): string[] => {
    const servedThen = new Set([...then.values()].flatMap(served));
    return wanted.filter(model => !servedThen.has(model));
  };

  const first = lost();
  const canStay = (model: string): boolean => keepers(model, sites, current).some(({ site }) => !site.crowded);
  for (const model of first.toSorted((a, b) => Number(canStay(a)) - Number(canStay(b)))) {
    for (const site of sites) {
      const more = union(then.get(site)!, partsOf(model, site.host.models));
      if (lost().includes(model) && site.fits(more)) then.set(site, more);
    }
  }
  const kept = new Map<string, string>();
  for (const model of lost()) {
    const holders = keepers(model, sites, current);
    const part = holders[0]?.part;
    const its = holders.filter(holder => holder.part === part);
    const roomy = its.filter(({ site }) => !site.crowded);
    for (const { site, parts } of roomy.length > 0 ? roomy : its.slice(0, 1)) {
      then.set(site, union(then.get(site)!, parts));
      kept.set(model, part!);
    }
  }
  const gains = sites.some(site => namesOf(then.get(site)!) !== namesOf(site.old));
  if (lost().length > 0 || (first.length > 0 && !gains)) return { lost: first };
  return { hosts: sites.map(site => ({ ...site.host, models: then.get(site)! })), kept };
}

interface Holder {
  readonly site: Site;
  /** What serves the model: itself, or its suffix. */
  readonly part: string;
  readonly parts: Models;
}

/** Where a model could stay. */
function keepers(model: string, sites: readonly Site[], current: InUse | undefined): Holder[] {
  return sites.flatMap((site): Holder[] => {
    const parts = partsOf(model, site.old);
    const isKnown = parts.every(p => current?.profiles?.some(q => q.model === p.model && q.device === site.host.kind));
    const part = parts.find(p => !isPrefix(p.model))?.model;
    return part !== undefined && isKnown ? [{ site, part, parts }] : [];
  });
}

/** What a host needs of these to serve the model: itself, or prefix and suffix; nothing where it can't. */
function partsOf(model: string, models: Models): Models {
  const part = models.find(m => !isPrefix(m.model) && modelOf(m.model) === model);
  if (!part || !isSuffix(part.model)) return part ? [part] : [];
  const prefix = models.find(m => m.model === prefixId(cutOf(part.model)!));
  return prefix ? [prefix, part] : [];
}

const inCommon = ({ host, old }: Site): Models => host.models.filter(m => old.some(o => o.model === m.model));
const union = (models: Models, others: Models): Models => [
  ...models,
  ...others.filter(other => !models.some(m => m.model === other.model)),
];
const namesOf = (models: Models): string =>
  models
    .map(m => m.model)
    .toSorted(compareText)
    .join(' ');

/** Models whose requests a host can serve with these. */
export const served = (models: Models): string[] =>
  models.filter(({ model }) => !isPrefix(model)).map(({ model }) => modelOf(model));
