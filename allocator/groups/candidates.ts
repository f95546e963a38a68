import { CROSSING_MAX, cutOf, hashOfCut, suffixId, type Cut, type Plan } from '../../contracts/index.ts';
import type { ModelFacts } from '../demand.ts';
import { compareText } from '../packing.ts';

/** Models that run behind one prefix. */
export interface Group {
  readonly cut: string;
  /** Ids, sorted; the prefix can be taken from any. */
  readonly members: readonly string[];
  /** What the prefix gives, as all members together need it; undefined: what crosses this cut of any of them. */
  readonly tensors?: readonly string[] | undefined;
  readonly batchMax: number;
}

/** One that could be. */
export interface Candidate extends Group {
  /** Declared for emulated devices, not found in the graph. */
  readonly emulated: boolean;
  /** Of the work of a member that lies before the cut, and bytes of its parameters there. */
  readonly computeShare: number;
  readonly prefixBytes: number;
}

/** Each has to be measured, and planned with. */
const CANDIDATES_MAX = 12;
/** Cuts of one set of models. */
const DEPTHS_MAX = 3;
/** A prefix with less of the work saves less than a second run costs. */
const COMPUTE_SHARE_MIN = 0.1;

interface Shared {
  readonly cut: Cut;
  readonly members: ModelFacts[];
}

/** What crosses a shallower cut is at most this share of what crosses the next deeper one, or it is no alternative. */
const CROSSING_SHARE_MAX = 0.5;
/** For one input: less than this is copied in no time, and measuring an alternative takes some. */
const CROSSING_BYTES_MIN = 250_000;

/**
 * For each set of models that share cuts (a node of the trie of their leading parts: groups inside groups) the deepest of these, and shallower ones
 * that clearly less crosses: the deepest of all sets first, of these the ones that save most work.
 */
export function candidatesOf(models: readonly ModelFacts[]): Candidate[] {
  const bySet = new Map<string, Shared[]>();
  for (const found of sharedBy(models)) {
    const key = `${found.cut.emulated} ${found.members.map(({ id }) => id).join(' ')}`;
    bySet.set(key, [...(bySet.get(key) ?? []), found]);
  }
  const chains = [...bySet.values()].map(shared => chainOf(shared));
  const inOrder = (some: readonly Shared[]): Shared[] =>
    some.toSorted((a, b) => savedBy(b) - savedBy(a) || compareText(a.cut.cut, b.cut.cut));
  return Array.from({ length: DEPTHS_MAX }, (_, depth) => inOrder(chains.flatMap(chain => chain[depth] ?? [])))
    .flat()
    .slice(0, CANDIDATES_MAX)
    .map(({ cut: { cut, emulated, tensors, computeShare, prefixBytes }, members }) => {
      const batchMax = Math.min(...members.map(member => member.batchMax));
      return {
        cut,
        emulated,
        members: members.map(({ id }) => id),
        tensors: tensors?.map(one => one.tensor),
        batchMax,
        computeShare,
        prefixBytes,
      };
    });
}

/** For each trunk that several models have, a cut behind it that does for all. */
function sharedBy(models: readonly ModelFacts[]): Shared[] {
  const byTrunk = new Map<string, { cuts: Cut[]; members: ModelFacts[] }>();
  for (const model of models.toSorted((a, b) => compareText(a.id, b.id))) {
    for (const cut of model.cuts ?? []) {
      if (cut.computeShare < COMPUTE_SHARE_MIN) continue;
      const key = cut.trunk ?? cut.cut;
      const known = byTrunk.get(key);
      known?.cuts.push(cut);
      known?.members.push(model);
      if (!known) byTrunk.set(key, { cuts: [cut], members: [model] });
    }
  }
  return [...byTrunk.values()].flatMap(({ cuts, members }) => {
    const cut = members.length < 2 ? undefined : united(cuts);
    return cut ? [{ cut, members }] : [];
  });
}

/** The cut through all tensors that any of these models takes behind one trunk; undefined where they are too many. */
function united(cuts: readonly Cut[]): Cut | undefined {
  const [first] = cuts;
  if (cuts.every(({ cut }) => cut === first!.cut)) return first;
  const tensors = [...new Map(cuts.flatMap(cut => cut.tensors ?? []).map(one => [one.tensor, one])).values()];
  if (tensors.length > CROSSING_MAX) return undefined;
  const { crossingBytes: _, ...rest } = first!;
  const cut = hashOfCut(tensors.map(({ tensor }) => tensor)).slice(0, first!.cut.length);
  const isKnown = tensors.every(({ bytes }) => bytes !== undefined);
  const crossingBytes = tensors.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
  return { ...rest, cut, tensors, ...(isKnown ? { crossingBytes } : {}) };
}

/** Cuts of the same models: the deepest, then the next that at most half as much crosses, and so on. */
function chainOf(shared: readonly Shared[]): Shared[] {
  const chain: Shared[] = [];
  for (const one of shared.toSorted((a, b) => b.cut.computeShare - a.cut.computeShare)) {
    const crossingBytesMax = chain.length === 0 ? Infinity : (chain.at(-1)!.cut.crossingBytes ?? 0);
    if (chain.length > 0 && crossingBytesMax < CROSSING_BYTES_MIN) break;
    const { crossingBytes } = one.cut;
    if (chain.length > 0 && (crossingBytes === undefined || crossingBytes > CROSSING_SHARE_MAX * crossingBytesMax))
      continue;
    chain.push(one);
  }
  return chain;
}

const savedBy = ({ cut, members }: { cut: Cut; members: readonly unknown[] }): number =>
  cut.computeShare * (members.length - 1);

/**
 * The groups in force, with those of their members that are still asked for: they go on while a model that joins waits to be measured, or
 * when one has left without which less would have to cross the cut.
 */
export function heldGroups(
  current: Plan | undefined,
  facts: readonly ModelFacts[],
  measured: ReadonlySet<string>,
): Group[] {
  const byPrefix = new Map<string, Set<string>>();
  for (const { prefix, members } of current?.pools.flatMap(pool => pool.groups) ?? [])
    byPrefix.set(prefix, new Set([...(byPrefix.get(prefix) ?? []), ...members]));
  return [...byPrefix].flatMap(([prefix, asked]): Group[] => {
    const cut = cutOf(prefix)!;
    const own = facts
      .filter(({ id }) => asked.has(id) && measured.has(suffixId(id, cut)))
      .toSorted((a, b) => compareText(a.id, b.id));
    const isNeeded = own.length > 1 || own.some(({ id }) => !measured.has(id));
    if (!isNeeded || !measured.has(prefix)) return [];
    const { tensors } = current!.hosts.flatMap(host => host.models).find(({ model }) => model === prefix) ?? {};
    const members = own.map(({ id }) => id);
    return [{ cut, members, tensors, batchMax: Math.min(...own.map(({ batchMax }) => batchMax)) }];
  });
}
