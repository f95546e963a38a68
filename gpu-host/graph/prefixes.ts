import { hashOfCut } from '../../contracts/index.ts';
import { cutsOf, type Cut, type CutOptions, type CutTensor, type Side } from './cuts.ts';
import type { Hash } from './hash.ts';
import type { OnnxModel } from './model.ts';

/** What has to be known of a model to find what it shares with others: its legal cuts. JSON, some 100 KB; computed once for each model. */
export interface Signature {
  readonly v: 1;
  readonly model: string;
  readonly cuts: readonly Cut[];
}

/** A cut that several models have. */
export interface SharedCut {
  /** Of `tensors`. */
  readonly hash: Hash;
  readonly trunk: Hash;
  /** All that any member uses. `splitAt` takes them for each member; a suffix takes those that it needs. */
  readonly tensors: readonly CutTensor[];
  /** Of the prefix, once. */
  readonly prefix: Side;
  /** Share of each member's own cost, by its name. */
  readonly shares: Readonly<Record<string, number>>;
  readonly costKnown: boolean;
  /** In one of the members at least. */
  readonly insideFusion: boolean;
  /** In all members. */
  readonly exact: boolean;
}

/** Models that share a leading part. */
export interface PrefixGroup {
  /** In the order given. */
  readonly members: readonly string[];
  /** Every cut that all members have, the deepest first; those further up are shared by more models, perhaps. */
  readonly cuts: readonly SharedCut[];
  /** The deepest that isn't inside a fusion; the deepest of all where each is. */
  readonly best: SharedCut;
  /** Members that share more with each other. Where trunks part in several places, groups may overlap. */
  readonly groups: readonly PrefixGroup[];
}

/** Cuts and figures of a model under the name by which groups list it. Free the batch first, where it is fixed. */
export const signatureOf = (name: string, model: OnnxModel, options: CutOptions = {}): Signature => ({
  v: 1,
  model: name,
  cuts: cutsOf(model, options).cuts,
});

interface Trunk {
  readonly members: readonly number[];
  readonly cuts: ReadonlyMap<number, Cut>;
}

/**
 * Which of many models share which leading parts: groups, and groups inside groups. Graphs aren't needed, and the time goes with the number
 * of cuts.
 * @param signatures each under another name, with the same options
 */
export function commonPrefixes(signatures: readonly Signature[]): PrefixGroup[] {
  const names = signatures.map(({ model }) => model);
  if (new Set(names).size < names.length) throw new RangeError('two signatures have the same name');
  const byTrunk = new Map<Hash, Map<number, Cut>>();
  signatures.forEach(({ cuts }, member) => {
    for (const cut of cuts) {
      const known = byTrunk.get(cut.trunk);
      if (known) known.set(member, cut);
      else byTrunk.set(cut.trunk, new Map([[member, cut]]));
    }
  });
  const trunks: Trunk[] = [...byTrunk.values()]
    .filter(cuts => cuts.size > 1)
    .map(cuts => ({ members: [...cuts.keys()], cuts }));
  const sets = new Map(trunks.map(({ members }) => [members.join(), members]));
  // The largest first: the parent of a set is the last one before it that contains it.
  const sorted = [...sets.values()].toSorted((a, b) => b.length - a.length);
  const children = new Map<readonly number[] | undefined, (readonly number[])[]>();
  sorted.forEach((members, at) => {
    const parent = sorted.slice(0, at).findLast(larger => contains(larger, members));
    children.set(parent, [...(children.get(parent) ?? []), members]);
  });
  const groupOf = (members: readonly number[]): PrefixGroup => {
    const cuts = trunks
      .filter(trunk => contains(trunk.members, members))
      .map(trunk => sharedCut(trunk, members, names))
      .toSorted((a, b) => b.prefix.cost - a.prefix.cost || b.prefix.nodes - a.prefix.nodes);
    return {
      members: members.map(member => names[member]!),
      cuts,
      best: cuts.find(cut => !cut.insideFusion) ?? cuts[0]!,
      groups: (children.get(members) ?? []).map(groupOf),
    };
  };
  return (children.get(undefined) ?? []).map(groupOf);
}

const contains = (larger: readonly number[], smaller: readonly number[]): boolean =>
  larger.length > 0 && smaller.every(member => larger.includes(member));

function sharedCut({ cuts }: Trunk, members: readonly number[], names: readonly string[]): SharedCut {
  const own = members.map(member => cuts.get(member)!);
  const tensors = new Map(own.flatMap(cut => cut.tensors.map(tensor => [tensor.hash, tensor])));
  const [first] = own;
  return {
    hash: hashOfCut(tensors.keys()),
    trunk: first!.trunk,
    tensors: [...tensors.values()].toSorted((a, b) => (a.hash < b.hash ? -1 : 1)),
    prefix: first!.prefix,
    shares: Object.fromEntries(own.map((cut, i) => [names[members[i]!]!, cut.share])),
    costKnown: own.every(cut => cut.costKnown),
    insideFusion: own.some(cut => cut.insideFusion),
    exact: own.every(cut => cut.exact),
  };
}
