import type { NodeProto } from 'onnx-buf';
import { isBatch, rowsPerInput, type Dim } from './shapes/dim.ts';
import type { Fact } from './shapes/fact.ts';
import { infer } from './shapes/infer.ts';
import type { OnnxModel } from './model.ts';
import { stepsOf, type Step } from './steps.ts';
import { elementsOf } from './tensor.ts';

/** Taken for a symbolic side of a picture or length of a sequence that nobody told. */
const SIDE_GUESS = 256;

/** Dims to take for inputs whose shape is symbolic, by name, with the batch in front (its size doesn't count). */
export type InputDims = Readonly<Record<string, readonly number[]>>;

export interface StepCosts {
  /** Of each step, for one input: multiply-adds, and one for each element that is written. */
  readonly costs: readonly number[];
  /** Which were computed from shapes; the others are guessed from their weights. */
  readonly known: readonly boolean[];
  /** Shapes for one input, by name in the graph. */
  readonly facts: ReadonlyMap<string, Fact>;
}

export function costsOf(model: OnnxModel, dims: InputDims = {}): StepCosts {
  const facts = infer(model, { sizeOf: (input, axis) => dims[input]?.[axis] ?? SIDE_GUESS });
  const costs: number[] = [];
  const known: boolean[] = [];
  const { all, tensors } = stepsOf(model);
  for (const step of all) {
    const exact = costOf(step.node, facts);
    known.push(exact !== undefined);
    costs.push(
      exact ??
        guess(
          step,
          step.reads.reduce((sum, hash) => sum + sizeOfTensor(tensors.get(hash)), 0),
          facts,
        ),
    );
  }
  return { costs, known, facts };
}

const sizeOfTensor = (tensor: Parameters<typeof elementsOf>[0] | undefined): number =>
  tensor ? elementsOf(tensor) : 0;

/** Weights times the places that they are applied at, as far as the inputs' shapes tell. */
function guess({ node }: Step, parameters: number, facts: ReadonlyMap<string, Fact>): number {
  const places = node.input.map(name => elements(facts.get(name)?.dims?.slice(2)) ?? 1);
  return parameters * Math.max(1, ...places);
}

/** Elements for one input of the model; undefined where a size isn't known. */
export function elements(dims: readonly Dim[] | undefined): number | undefined {
  let product: number | undefined = dims && 1;
  for (const dim of dims ?? []) {
    const size = isBatch(dim) ? rowsPerInput(dim) : dim;
    product = product === undefined || size === undefined ? undefined : product * size;
  }
  return product;
}

function costOf(node: NodeProto, facts: ReadonlyMap<string, Fact>): number | undefined {
  const sizeOf = (name: string | undefined): number | undefined => (name ? elements(facts.get(name)?.dims) : undefined);
  const dims = (input: number): readonly Dim[] | undefined => facts.get(node.input[input] ?? '')?.dims;
  const made = sizeOf(node.output.find(name => name !== ''));
  if (made === undefined) return undefined;
  const each = ((): number | undefined => {
    switch (node.opType) {
      case 'Conv':
        return elements(dims(1)?.slice(1));
      case 'ConvTranspose': {
        const [from, weights] = [sizeOf(node.input[0]), elements(dims(1)?.slice(1))];
        return from === undefined || weights === undefined ? undefined : (from * weights) / made;
      }
      case 'MatMul':
        return elements(dims(0)?.slice(-1));
      case 'Gemm': {
        const transposed = node.attribute.find(({ name }) => name === 'transA')?.i === 1n;
        return elements(dims(0)?.slice(transposed ? 0 : 1, transposed ? 1 : 2));
      }
      case 'LSTM':
      case 'GRU':
      case 'RNN': {
        // Each step and direction multiplies with W and R once: for one output element the columns of both, for each gate.
        const [w, r] = [elements(dims(1)), elements(dims(2))];
        const hidden = dims(2)?.[2];
        const directions = dims(2)?.[0];
        if (w === undefined || r === undefined || typeof hidden !== 'number' || typeof directions !== 'number')
          return undefined;
        return (w + r) / (hidden * directions);
      }
      default:
        return 0;
    }
  })();
  return each === undefined ? undefined : made * (each + 1);
}
