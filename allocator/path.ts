import { cutOf, isPrefix, isSuffix, modelOf, prefixId } from '../contracts/index.ts';
import { common, has, partsOf, servedBy, union, type Models, type Site } from './sites.ts';

/** What each site holds, in their order. */
export type State = readonly Models[];

/** States that are looked at, times sites: what takes a second or so. */
const WORK_MAX = 100_000;

/**
 * How hosts get from what they hold to what they are to hold, one load or release after the other, with each of the wanted models
 * somewhere all the time: until all of these are where they are to stay, from where on the rest is simple. On no host anything comes that neither plan
 * gives it; what is released doesn't come back, what is loaded stays. Searched depth first; what can't do harm is done at once: a host loads
 * what fits beside all that it holds, and releases what nobody needs any more.
 * @returns states after each change; undefined: there is no way, or it is too long to be found
 */
export function pathFrom(from: State, sites: readonly Site[], wanted: readonly string[]): readonly State[] | undefined {
  const seen = new Set<string>();
  const search = (last: State): readonly State[] | undefined => {
    if (seen.size * sites.length >= WORK_MAX) return undefined;
    const path = settled(last, sites, wanted);
    const state = path.at(-1) ?? last;
    const open = openIn(state, sites, wanted);
    if (open.size === 0) return path;
    const key = state.map(models => models.map(({ model }) => model).join(' ')).join('\n');
    if (seen.has(key)) return undefined;
    seen.add(key);
    for (const next of choices(state, sites, open)) {
      const rest = search(next);
      if (rest) return [...path, next, ...rest];
    }
    return undefined;
  };
  return search(from);
}

/** The wanted models that no host holds yet that is to hold them. */
function openIn(state: State, sites: readonly Site[], wanted: readonly string[]): ReadonlySet<string> {
  const staying = new Set(sites.flatMap(({ host }, i) => servedBy(common(host.models, state[i]!))));
  return new Set(wanted.filter(model => !staying.has(model)));
}

function settled(from: State, sites: readonly Site[], wanted: readonly string[]): State[] {
  const path: State[] = [];
  let state = from;
  const change = (i: number, models: Models): void => {
    state = state.with(i, models);
    path.push(state);
  };
  for (let before: State | undefined; before !== state; ) {
    before = state;
    for (const [i, { host, fits }] of sites.entries()) {
      const both = union(state[i]!, host.models);
      if (both.length > state[i]!.length && fits(both)) change(i, both);
    }
    const open = openIn(state, sites, wanted);
    for (const [i, site] of sites.entries()) {
      const needed = isFull(site, state[i]!) ? neededOf(state[i]!, site, open) : state[i]!;
      if (needed.length < state[i]!.length) change(i, needed);
    }
  }
  return path;
}

/** It lacks something and can't hold all. */
const isFull = ({ host }: Site, models: Models): boolean => host.models.some(({ model }) => !has(models, model));

/** Of these what stays, and what serves a model that isn't where it is to stay yet. */
function neededOf(models: Models, { host }: Site, open: ReadonlySet<string>): Models {
  const needed = models.filter(
    ({ model }) => has(host.models, model) || (!isPrefix(model) && open.has(modelOf(model))),
  );
  const cuts = new Set(needed.flatMap(({ model }) => (isSuffix(model) ? [prefixId(cutOf(model)!)] : [])));
  return models.filter(({ model }) => has(needed, model) || cuts.has(model));
}

/** One load or release on a full host that may turn out well or not. */
function* choices(state: State, sites: readonly Site[], open: ReadonlySet<string>): Generator<State> {
  for (const model of open) {
    for (const [i, { host, fits }] of sites.entries()) {
      const more = union(state[i]!, partsOf(model, host.models));
      if (more.length > state[i]!.length && fits(more)) yield state.with(i, more);
    }
  }
  const holders = new Map<string, number>();
  for (const models of state)
    for (const model of new Set(servedBy(models))) holders.set(model, (holders.get(model) ?? 0) + 1);
  for (const [i, site] of sites.entries()) {
    if (!isFull(site, state[i]!)) continue;
    for (const { model: part } of state[i]!) {
      const isOpen = open.has(modelOf(part)) && !isPrefix(part) && !has(site.host.models, part);
      if (isOpen && holders.get(modelOf(part))! > 1)
        yield state.with(
          i,
          state[i]!.filter(({ model }) => model !== part),
        );
    }
  }
}
