import type { TensorProto } from 'onnx-buf';
import { hashOfCut } from '../../contracts/index.ts';
import { candidates, type Candidate } from './candidates.ts';
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
const STEPS_MAX = 10_000;

/**
 * The legal cuts from the inputs downwards, at most two for each node: with it as the last one before the cut, or the first one behind. The
 * first axis of every tensor that crosses is the batch, and its entries depend on those of the inputs one by one, so that
 * inputs of several models may share a run of the prefix.
 * @throws GraphError more than 10,000 different nodes
 */
export function cutsOf(model: OnnxModel, options: CutOptions = {}): { cuts: Cut[]; refused: RefusedCut[] } {
  const { tensorsMax = TENSORS_MAX, inputDims } = options;
  const steps = stepsOf(model);
  if (steps.all.length > STEPS_MAX)
    throw new GraphError(model.name, 'graph', `more than ${STEPS_MAX} nodes to cut between`);
  const facts = factsOf(model);
  const figures = new Figures(model, costsOf(model, inputDims));
  const random = steps.all.flatMap(({ node }, i) => (isRandom(node) ? [i] : []));
  const cuts: Cut[] = [];
  const refused: RefusedCut[] = [];
  for (const candidate of candidates(model, tensorsMax)) {
    const tensors = [...candidate.crossing].map(hash => steps.names.get(hash)!);
    const illegal = firstIllegal(tensors, facts);
    if (illegal) refused.push(illegal);
    else if (random.some(i => candidate.inside.has(i)))
      refused.push({ tensor: tensors[0]!, reason: 'what lies before it is random' });
    else cuts.push(figures.cut(candidate, facts));
  }
  cuts.sort((a, b) => a.prefix.cost - b.prefix.cost || a.prefix.nodes - b.prefix.nodes);
  return { cuts, refused };
}

/**
 * The tensors that cross a legal cut, without the figures of all cuts. Undefined where the model has no such cut.
 * @param cut beginning of its hash
 * @param tensors beginnings of their hashes, where they are more than this model needs; default: those of a cut of its own
 */
export function tensorsAt(model: OnnxModel, cut: string, tensors?: readonly string[]): Hash[] | undefined {
  const found = tensors ? tensorsNamed(model, tensors) : ownCrossing(model, cut);
  return found && hashOfCut(found).startsWith(cut) && isLegal(model, found) ? found : undefined;
}

function ownCrossing(model: OnnxModel, cut: string): Hash[] | undefined {
  for (const { crossing } of candidates(model, TENSORS_MAX))
    if (hashOfCut(crossing).startsWith(cut)) return [...crossing];
  return undefined;
}

function tensorsNamed(model: OnnxModel, beginnings: readonly string[]): Hash[] | undefined {
  const hashes = [...stepsOf(model).names.keys()];
  const found = beginnings.flatMap(beginning => hashes.find(hash => hash.startsWith(beginning)) ?? []);
  return found.length === beginnings.length ? found : undefined;
}

/** The batch is the first axis of all these tensors, and their entries depend on the inputs one by one. */
function isLegal(model: OnnxModel, tensors: Iterable<Hash>): boolean {
  const { names } = stepsOf(model);
  const called = [...tensors].map(hash => names.get(hash)!);
  return firstIllegal(called, factsOf(model)) === undefined;
}

const firstIllegal = (tensors: readonly string[], facts: ReadonlyMap<string, Fact>): RefusedCut | undefined =>
  tensors.map(name => whyNot(name, facts)).find(reason => reason !== undefined);

function whyNot(tensor: string, facts: ReadonlyMap<string, Fact>): RefusedCut | undefined {
  const fact = facts.get(tensor);
  const refuse = (reason: string): RefusedCut => ({ tensor, reason });
  if (fact?.kind === 'fixed' || fact?.kind === 'sized') return refuse('it has no entry for each input');
  if (fact?.kind !== 'rows' || !fact.dims) return refuse("it can't be shown that its entries depend on one input each");
  if (fact.dims[0] !== BATCH)
    return refuse(`its first axis isn't the batch: [${fact.dims.map(dim => dim ?? '?').join(',')}]`);
  return fact.type === undefined ? refuse('its element type is not known') : undefined;
}

/** What a dynamic step brings with it: weights and constants, by index. */
interface Belongings {
  readonly weights: readonly number[];
  readonly constants: readonly number[];
}

/** Adds up what lies on each side. */
class Figures {
  private readonly model: OnnxModel;
  private readonly steps: Steps;
  private readonly costs: StepCosts;
  private readonly live: readonly number[];
  private readonly weights: readonly TensorProto[];
  private readonly belongings: readonly Belongings[];

  constructor(model: OnnxModel, costs: StepCosts) {
    this.model = model;
    this.steps = stepsOf(model);
    this.costs = costs;
    const { all, tensors, outputs } = this.steps;
    this.live = stepsBehind(model, outputs).filter(i => all[i]!.dynamic);
    this.weights = [...tensors.values()];
    const index = new Map([...tensors.keys()].map((hash, i) => [hash, i]));
    const weightsOf = (step: number): number[] => all[step]!.reads.flatMap(hash => index.get(hash) ?? []);
    this.belongings = all.map(({ dynamic, needs }, i) => {
      const constants = new Set(dynamic ? needs.filter(need => !all[need]!.dynamic) : []);
      for (const constant of constants) for (const need of all[constant]!.needs) constants.add(need);
      return { weights: [...weightsOf(i), ...[...constants].flatMap(weightsOf)], constants: [...constants] };
    });
  }

  cut({ inside, crossing, last, readers }: Candidate, facts: ReadonlyMap<string, Fact>): Cut {
    const { all, producer, names } = this.steps;
    const prefix = this.side(i => inside.has(i));
    const suffix = this.side(i => !inside.has(i));
    const passages = [...crossing].flatMap(hash => readers(hash).map(to => ({ hash, from: producer.get(hash), to })));
    const insideFusion = passages.some(({ from, to }) => from !== undefined && isInsideFusion(this.model, from, to));
    const rank = (hash: Hash): number | undefined => facts.get(names.get(hash)!)?.dims?.length;
    return {
      hash: hashOfCut(crossing),
      trunk: hashOf('trunk', last.map(i => all[i]!.hash).toSorted()),
      tensors: [...crossing].toSorted().map(hash => this.tensor(hash, facts.get(names.get(hash)!)!)),
      prefix,
      suffix,
      share: prefix.cost / Math.max(1, prefix.cost + suffix.cost),
      costKnown: this.live.every(i => this.costs.known[i]),
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

  /** The steps that `has` names, and what they bring with them, each once. */
  private side(has: (step: number) => boolean): Side {
    const total = { nodes: 0, parameters: 0, parameterBytes: 0, cost: 0 };
    const seenSteps = new Uint8Array(this.steps.all.length);
    const seenWeights = new Uint8Array(this.weights.length);
    const add = (step: number): void => {
      if (seenSteps[step]) return;
      seenSteps[step] = 1;
      total.nodes++;
      total.cost += this.costs.costs[step]!;
    };
    for (const step of this.live) {
      if (!has(step)) continue;
      add(step);
      const { weights, constants } = this.belongings[step]!;
      constants.forEach(add);
      for (const weight of weights) {
        if (seenWeights[weight]) continue;
        seenWeights[weight] = 1;
        const tensor = this.weights[weight]!;
        const count = elementsOf(tensor);
        total.parameters += count;
        total.parameterBytes += bytesOfElements(tensor.dataType, count) ?? rawBytes(tensor, this.model.external).length;
      }
    }
    return total;
  }
}
