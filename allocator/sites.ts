import { cutOf, isPrefix, isSuffix, modelOf, prefixId, type Plan, type PlannedHost } from '../contracts/index.ts';
import { memoryWith, type Holdings } from './holdings.ts';
import type { Draft } from './planner.ts';

/** The plan whose models are in use; of one that isn't known only what hosts hold, without profiles. */
export type InUse = Pick<Plan, 'hosts' | 'sessions'> & Partial<Pick<Plan, 'profiles'>>;

export type Models = PlannedHost['models'];

/** A host on its way from one plan to the next. */
export interface Site {
  /** What the next plan gives it. */
  readonly host: PlannedHost;
  /** What it holds of the plan in use: what it lost when it was started anew, it need not keep. */
  readonly old: Models;
  /** Memory can't hold both. */
  readonly crowded: boolean;
  /** Whether memory holds these together. */
  readonly fits: (models: Models) => boolean;
}

/** Hosts of either plan, those of the next one first. */
export function sitesOf(draft: Draft, current: InUse | undefined, holdings: ReadonlyMap<string, Holdings>): Site[] {
  const leaving = current?.hosts.filter(({ host }) => !draft.hosts.some(h => h.host === host)) ?? [];
  return [...draft.hosts, ...leaving.map(host => ({ ...host, models: [] }))].map(host => {
    const held = holdings.get(host.host);
    const planned = current?.hosts.find(h => h.host === host.host)?.models ?? [];
    const isHeld = ({ model }: Models[number]): boolean => held?.residents.some(r => r.model === model) ?? false;
    const old = planned.filter(isHeld);
    const both = union(host.models, old);
    const profiles = draft.profiles.filter(p => p.device === host.kind && has(both, p.model));
    const fits = (models: Models): boolean =>
      !held || memoryWith(models, host.kind, held, { profiles }) <= held.memoryBytes;
    const crowded = !host.models.every(isHeld) && both.length > host.models.length && !fits(both);
    return { host, old, crowded, fits };
  });
}

/** What a host needs of these to serve the model: itself, or prefix and suffix; nothing where it can't. */
export function partsOf(model: string, models: Models): Models {
  const part = models.find(m => !isPrefix(m.model) && modelOf(m.model) === model);
  if (!part || !isSuffix(part.model)) return part ? [part] : [];
  const prefix = models.find(m => m.model === prefixId(cutOf(part.model)!));
  return prefix ? [prefix, part] : [];
}

/** Models whose requests a host can serve with these. */
export const servedBy = (models: Models): string[] =>
  models.filter(({ model }) => !isPrefix(model)).map(({ model }) => modelOf(model));

export const has = (models: Models, part: string): boolean => models.some(({ model }) => model === part);
export const common = (models: Models, others: Models): Models => models.filter(({ model }) => has(others, model));
export const union = (models: Models, others: Models): Models => [
  ...models,
  ...others.filter(({ model }) => !has(models, model)),
];
