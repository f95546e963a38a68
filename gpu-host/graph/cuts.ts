import { costsOf, elements, type InputDims, type StepCosts } from './cost.ts';
import { GraphError } from './error.ts';
import { dependsOnLayout, isInsideFusion } from './fusion.ts';
import { hashOf, type Hash } from './hash.ts';
import type { OnnxModel } from './model.ts';
import { BATCH } from './shapes/dim.ts';
import type { Fact } from './shapes/fact.ts';
import { factsOf } from './shapes/infer.ts';
import { isRandom, stepsBehind, stepsOf, type Steps } from './steps.ts';
import { bytesOfElements, elementsOf, rawBytes, typeName } from './tensor.ts';

/** A tensor that crosses a cut. */
export interface CutTensor {
  readonly hash: Hash;
  /** float32, … */
  readonly type: string;
  /** `N` the batch, in front; null where a size depends on what is fed. */
  readonly dims: readonly (number | 'N' | null)[];
  /** For one input of the model, at the dims that costs were estimated with; null where unknown. */
  readonly bytesPerInput: number | null;
}

/** What lies on one side of a cut. */
export interface Side {
  readonly nodes: number;
  /** Elements of weights and constants. */
  readonly parameters: number;
  readonly parameterBytes: number;
  /** Estimated multiply-adds for one input, and one for each element written. */
  readonly cost: number;
}

/** A place where a model can be parted: everything upstream of `tensors` is the prefix, nothing else of it is used below. JSON. */
export interface Cut {
  /** Of the tensors that cross, in any order. */
  readonly hash: Hash;
  /** Of the leading part, whatever crosses: equal in models that use other tensors of one trunk. */
  readonly trunk: Hash;
  readonly tensors: readonly CutTensor[];
  readonly prefix: Side;
  readonly suffix: Side;
  /** Share of the estimated cost before the cut, 0..1. */
  readonly share: number;
  /** Every node's cost came from shapes; else some are guessed from their weights. */
  readonly costKnown: boolean;
  /** onnxruntime fuses operators across it: results change by rounding (up to about 1e-6), kernels get slower. */
  readonly insideFusion: boolean;
  /** The parts give the very bits of the whole on the CPU, as far as onnxruntime's ways are known: no fusion, no change of layout. */
  readonly exact: boolean;
}

/** A place that isn't legal, though few tensors cross there. */
export interface RefusedCut {
  /** Name of the tensor. */
  readonly tensor: string;
  readonly reason: string;
}

export interface CutOptions {
  /** Most tensors that may cross; default 4. */
  readonly tensorsMax?: number;
  /** Sizes for symbolic axes, to estimate costs with; default 256 for each. */
  readonly inputDims?: InputDims;
}

const TENSORS_MAX = 4;
const STEPS_MAX = 20_000;

/**
 * The legal cuts from the inputs downwards, at most two for each node: with it as the last one before the cut, or the first one behind. The
 * first axis of every tensor that crosses is the batch, and its entries depend on those of the inputs one by one, so that
 * inputs of several models may share a run of the prefix.
 * @throws GraphError more than 20,000 different nodes
 */
export function cutsOf(model: OnnxModel, options: CutOptions = {}): { cuts: Cut[]; refused: RefusedCut[] } {
  const { tensorsMax = TENSORS_MAX, inputDims } = options;
  const steps = stepsOf(model);
  if (steps.all.length > STEPS_MAX)
    throw new GraphError(model.name, 'graph', `more than ${STEPS_MAX} nodes to cut between`);
  const facts = factsOf(model);
  const costs = costsOf(model, inputDims);
  const figures = new Figures(model, steps, costs);
  const cuts: Cut[] = [];
  const refused: RefusedCut[] = [];
  for (const { inside, crossing } of candidates(model, tensorsMax)) {
    const illegal = [...crossing]
      .map(hash => whyNot(steps.names.get(hash)!, facts))
      .find(reason => reason !== undefined);
    if (illegal) refused.push(illegal);
    else if (steps.all.some(({ node }, i) => inside.has(i) && isRandom(node)))
      refused.push({ tensor: steps.names.get([...crossing][0]!)!, reason: 'what lies before it is random' });
    else cuts.push(figures.cut(inside, crossing, facts));
  }
  cuts.sort((a, b) => a.prefix.cost - b.prefix.cost || a.prefix.nodes - b.prefix.nodes);
  return { cuts, refused };
}

function whyNot(tensor: string, facts: ReadonlyMap<string, Fact>): RefusedCut | undefined {
  const fact = facts.get(tensor);
  const refuse = (reason: string): RefusedCut => ({ tensor, reason });
  if (fact?.kind === 'fixed' || fact?.kind === 'sized') return refuse('it has no entry for each input');
  if (fact?.kind !== 'rows' || !fact.dims) return refuse("it can't be shown that its entries depend on one input each");
  if (fact.dims[0] !== BATCH)
    return refuse(`its first axis isn't the batch: [${fact.dims.map(dim => dim ?? '?').join(',')}]`);
  return fact.type === undefined ? refuse('its element type is not known') : undefined;
}

interface Candidate {
  /** Steps before the cut. */
  readonly inside: BitSet;
  readonly crossing: ReadonlySet<Hash>;
}

/** Sets of steps that are closed upwards, with the tensors that leave them, each once. */
function* candidates(model: OnnxModel, tensorsMax: number): Generator<Candidate> {
  const { all, producer, inputs, outputs } = stepsOf(model);
  const live = new Set(stepsBehind(model, outputs));
  const readers = new Map<Hash, number[]>();
  all.forEach(({ reads, dynamic }, i) => {
    if (!dynamic || !live.has(i)) return;
    for (const hash of reads) {
      const known = readers.get(hash);
      if (known) known.push(i);
      else readers.set(hash, [i]);
    }
  });
  const ends = new Set(outputs);
  const crossingOf = (inside: BitSet): Set<Hash> | undefined => {
    const crossing = new Set<Hash>();
    const leaves = (hash: Hash): boolean =>
      ends.has(hash) || (readers.get(hash) ?? []).some(reader => !inside.has(reader));
    const note = (hash: Hash): boolean => {
      if (leaves(hash)) crossing.add(hash);
      return crossing.size <= tensorsMax;
    };
    for (const hash of inputs.keys()) if (!note(hash)) return undefined;
    for (const i of inside) if (!all[i]!.outputs.every(note)) return undefined;
    return crossing;
  };
  const seen = new Set<string>();
  const above: BitSet[] = [];
  for (let i = 0; i < all.length; i++) {
    const step = all[i]!;
    if (!step.dynamic || !live.has(i)) continue;
    const needs = step.reads.flatMap(hash => producer.get(hash) ?? []).filter(need => all[need]!.dynamic);
    const before = new BitSet(all.length);
    for (const need of needs) before.addAll(above[need]!);
    const upTo = before.copy();
    upTo.add(i);
    above[i] = upTo;
    for (const inside of needs.length > 1 ? [before, upTo] : [upTo]) {
      const crossing = crossingOf(inside);
      const key = crossing && hashOf([...crossing].toSorted());
      if (!key || crossing.size === 0 || seen.has(key)) continue;
      seen.add(key);
      yield { inside, crossing };
    }
  }
}

class BitSet {
  private readonly words: Uint32Array;
  constructor(size: number, words = new Uint32Array(Math.ceil(size / 32))) {
    this.words = words;
  }
  has(i: number): boolean {
    return ((this.words[i >>> 5]! >>> (i & 31)) & 1) === 1;
  }
  add(i: number): void {
    this.words[i >>> 5]! |= 1 << (i & 31);
  }
  addAll(other: BitSet): void {
    other.words.forEach((word, at) => {
      this.words[at]! |= word;
    });
  }
  copy(): BitSet {
    return new BitSet(0, this.words.slice());
  }
  *[Symbol.iterator](): Generator<number> {
    for (let i = 0; i < this.words.length * 32; i++) if (this.has(i)) yield i;
  }
}

/** Adds up what lies on each side. */
class Figures {
  private readonly model: OnnxModel;
  private readonly steps: Steps;
  private readonly costs: StepCosts;
  private readonly live: Set<number>;

  constructor(model: OnnxModel, steps: Steps, costs: StepCosts) {
    this.model = model;
    this.steps = steps;
    this.costs = costs;
    this.live = new Set(stepsBehind(model, steps.outputs));
  }

  cut(inside: BitSet, crossing: ReadonlySet<Hash>, facts: ReadonlyMap<string, Fact>): Cut {
    const { all, producer, names } = this.steps;
    const prefix = this.side(i => inside.has(i));
    const suffix = this.side(i => all[i]!.dynamic && this.live.has(i) && !inside.has(i));
    const made = [...crossing].flatMap(hash => producer.get(hash) ?? []);
    const covered = new Set(made.flatMap(i => all[i]!.needs));
    for (let i = all.length - 1; i >= 0; i--) if (covered.has(i)) for (const need of all[i]!.needs) covered.add(need);
    const last = made.filter(i => !covered.has(i)).map(i => all[i]!.hash);
    const passages = all.flatMap(({ reads }, to) =>
      this.live.has(to) && !inside.has(to)
        ? reads.flatMap(hash =>
            crossing.has(hash) && producer.has(hash) ? { from: producer.get(hash)!, to, hash } : [],
          )
        : [],
    );
    const insideFusion = passages.some(({ from, to }) => isInsideFusion(this.model, from, to));
    const rank = (hash: Hash): number | undefined => facts.get(names.get(hash)!)?.dims?.length;
    return {
      hash: cutHash(crossing),
      trunk: hashOf('trunk', [...new Set(last)].toSorted()),
      tensors: [...crossing].toSorted().map(hash => this.tensor(hash, facts.get(names.get(hash)!)!)),
      prefix,
      suffix,
      share: prefix.cost / Math.max(1, prefix.cost + suffix.cost),
      costKnown: this.costs.known.every((known, i) => known || !this.live.has(i)),
      insideFusion,
      exact: !insideFusion && !passages.some(({ to, hash }) => rank(hash) === 4 && dependsOnLayout(this.model, to)),
    };
  }

  private tensor(hash: Hash, { type, dims }: Fact): CutTensor {
    const count = elements(this.costs.facts.get(this.steps.names.get(hash)!)?.dims);
    return {
      hash,
      type: typeName(type!),
      dims: dims!.map((dim, axis) => (axis === 0 ? BATCH : typeof dim === 'number' ? dim : null)),
      bytesPerInput: count === undefined ? null : (bytesOfElements(type!, count) ?? null),
    };
  }

  /** The dynamic steps that `has` names, and the constants that they read. */
  private side(has: (step: number) => boolean): Side {
    const { all, producer, tensors } = this.steps;
    const mine = new Set<number>();
    for (let i = all.length - 1; i >= 0; i--) {
      if (!mine.has(i) && !has(i)) continue;
      mine.add(i);
      for (const hash of all[i]!.reads) {
        const from = producer.get(hash);
        if (from !== undefined && !all[from]!.dynamic) mine.add(from);
      }
    }
    const weights = new Set([...mine].flatMap(i => all[i]!.reads.filter(hash => tensors.has(hash))));
    const total = { nodes: mine.size, parameters: 0, parameterBytes: 0, cost: 0 };
    for (const hash of weights) {
      const tensor = tensors.get(hash)!;
      total.parameters += elementsOf(tensor);
      total.parameterBytes +=
        bytesOfElements(tensor.dataType, elementsOf(tensor)) ?? rawBytes(tensor, this.model.external).length;
    }
    for (const i of mine) total.cost += this.costs.costs[i]!;
    return total;
  }
}

export const cutHash = (tensors: Iterable<Hash>): Hash => hashOf('cut', [...tensors].toSorted());
