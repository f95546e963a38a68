import { isPrefix, type PlannedHost } from '../contracts/index.ts';
import { pathFrom, type State } from './path.ts';
import type { Draft } from './planner.ts';
import { common, partsOf, servedBy, union, type InUse, type Models, type Site } from './sites.ts';

export interface Step {
  readonly hosts: readonly PlannedHost[];
  /** Models that are served for one more step by what the plan in use holds: the part that serves each. */
  readonly kept: ReadonlyMap<string, string>;
}

/**
 * The next plan as far as memory allows: a host that can't hold old and new is left with what both have in common. Where a model that is served
 * now would be nowhere then, as much of a path from here to there ({@link pathFrom}) as hosts can go without releasing anything first.
 * @returns what would be nowhere, if there is no path
 */
export function stepFrom(
  sites: readonly Site[],
  draft: Draft,
  current: InUse | undefined,
): Step | { readonly lost: readonly string[] } {
  const servedNow = new Set(sites.flatMap(({ old }) => servedBy(old)));
  const used = new Set(current?.sessions.map(session => session.model));
  const wanted = [...new Set(draft.sessions.map(s => s.model))].filter(m => servedNow.has(m) && used.has(m));
  const simply = sites.map(({ host, old, crowded }) => (crowded ? common(host.models, old) : host.models));
  const lost = nowhere(wanted, simply);
  if (lost.length === 0) return { hosts: hostsWith(simply, sites), kept: new Map() };

  const start = sites.map(({ old }) => old);
  const path = pathFrom(start, sites, wanted);
  if (!path) return { lost };
  const most = asOneStep(path, start, sites, wanted);
  const state = pathFrom(most, sites, wanted) ? most : path.findLast((_, i) => isOneStep(path.slice(0, i + 1), sites))!;
  const next = sites.map(({ host }, i) => common(host.models, state[i]!));
  const kept = new Map<string, string>();
  for (const model of nowhere(wanted, next)) {
    for (const [i, { host }] of sites.entries()) {
      const parts = partsOf(model, state[i]!);
      const part = parts.find(p => !isPrefix(p.model))?.model;
      const isKnown = parts.every(p => current?.profiles?.some(q => q.model === p.model && q.device === host.kind));
      if (part === undefined || !isKnown) continue;
      next[i] = union(next[i]!, parts);
      if (!kept.has(model)) kept.set(model, part);
    }
  }
  return nowhere(wanted, next).length > 0 ? { lost } : { hosts: hostsWith(next, sites), kept };
}

const isOneStep = (path: readonly State[], sites: readonly Site[]): boolean =>
  path.every(state => sites.every((site, i) => comesBeside(site, state[i]!)));

/** All that is new there fits beside the old. */
const comesBeside = ({ old, fits }: Site, models: Models): boolean => {
  const both = union(old, models);
  return both.length === old.length || fits(both);
};

/** Each host goes as far along the path as it can before it has released anything, and before others have where they hold what it releases. */
function asOneStep(path: readonly State[], start: State, sites: readonly Site[], wanted: readonly string[]): State {
  const stopped = new Set<number>();
  const state = [...start];
  for (const next of path) {
    for (const [i, site] of sites.entries()) {
      const before = state[i]!;
      if (next[i] === before || stopped.has(i)) continue;
      state[i] = next[i]!;
      const isLost = next[i]!.length < before.length && nowhere(wanted, state).length > 0;
      if (!isLost && comesBeside(site, next[i]!)) continue;
      state[i] = before;
      stopped.add(i);
    }
  }
  return state;
}

function nowhere(wanted: readonly string[], state: State): string[] {
  const served = new Set(state.flatMap(servedBy));
  return wanted.filter(model => !served.has(model));
}

const hostsWith = (state: readonly Models[], sites: readonly Site[]): PlannedHost[] =>
  sites.map(({ host }, i) => ({ ...host, models: state[i]! }));
