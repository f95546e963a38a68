import type { NodeProto, ValueInfoProto } from 'onnx-buf';
import { domainOf } from '../check.ts';
import { constantOf } from '../constant.ts';
import { fedInputs } from '../hash.ts';
import type { OnnxModel } from '../model.ts';
import { numbersOfTensor, T } from '../tensor.ts';
import { nodeOrder, oncePerModel } from '../view.ts';
import { BATCH, isBatch, type Dim } from './dim.ts';
import { Call, type Fact, type Made } from './fact.ts';
import { RULES } from './rules.ts';

const NUMBERS_MAX = 64;

export interface InferOptions {
  /** Size to take for a symbolic axis other than the batch; default: unknown. */
  readonly sizeOf?: (input: string, axis: number) => number | undefined;
  /** May put another target in place of a Reshape's. */
  readonly reshaped?: (node: NodeProto, x: Fact, target: readonly Dim[]) => readonly number[] | undefined;
}

/**
 * Shapes, types and batch axes of every tensor of the model's graph, from its inputs downwards. The first axis of each input is the batch,
 * also where it is fixed to 1: a constant in the graph that relies on the 1 loses the batch from there on.
 */
export function infer(model: OnnxModel, { sizeOf, reshaped }: InferOptions = {}): Map<string, Fact> {
  const { graph, opsetImport } = model.proto;
  const opset = Number(opsetImport.find(({ domain }) => domainOf(domain) === '')?.version ?? 0);
  const facts = new Map<string, Fact>();
  const declared = new Map(
    [...graph!.valueInfo, ...graph!.output].flatMap(({ name, type }) =>
      type?.value.case === 'tensorType' ? [[name, type.value.value.elemType] as const] : [],
    ),
  );
  for (const input of fedInputs(graph!))
    facts.set(
      input.name,
      inputFact(input, axis => sizeOf?.(input.name, axis)),
    );
  for (const tensor of graph!.initializer) {
    const dims = tensor.dims.map(Number);
    facts.set(tensor.name, {
      type: tensor.dataType,
      dims,
      kind: 'fixed',
      numbers: dims.length < 2 ? numbersOfTensor(tensor, model.external) : undefined,
    });
  }
  for (const i of nodeOrder(model)) {
    const node = graph!.node[i]!;
    const constant = constantOf(node);
    if (constant) {
      const dims = constant.dims.map(Number);
      const numbers = dims.length < 2 ? numbersOfTensor(constant, model.external) : undefined;
      facts.set(node.output[0]!, { type: constant.dataType, dims, kind: 'fixed', numbers });
      continue;
    }
    const inputs = node.input.map(name => facts.get(name));
    if (reshaped && node.opType === 'Reshape' && inputs[0] && inputs[1]?.numbers) {
      const numbers = reshaped(node, inputs[0], inputs[1].numbers);
      if (numbers) inputs[1] = { type: T.INT64, dims: [numbers.length], kind: 'fixed', numbers };
    }
    const call = new Call(node, inputs, opset);
    const rule = domainOf(node.domain) === '' ? RULES.get(node.opType) : undefined;
    const made = rule?.(call);
    node.output.forEach((name, output) => {
      if (name === '') return;
      const fact: Fact = rule ? factOf(call, made?.[output]) : { type: undefined, dims: undefined, kind: 'mixed' };
      facts.set(name, { ...fact, type: fact.type ?? declared.get(name) });
    });
  }
  return facts;
}

/** With symbolic sizes unknown. */
export const factsOf: (model: OnnxModel) => ReadonlyMap<string, Fact> = oncePerModel(model => infer(model));

/** Inputs that only say how large something is. */
const SIZE_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Tile: [1],
  Resize: [2, 3],
  Upsample: [1],
  Slice: [1, 2, 3, 4],
  Pad: [1],
  ConstantOfShape: [0],
};

function factOf(call: Call, made: Made | undefined): Fact {
  const dims = made?.dims;
  const numbers = made?.numbers && made.numbers.length <= NUMBERS_MAX ? made.numbers : undefined;
  return { type: made?.type ?? call.inputs[0]?.type, dims, kind: kindOf(call, dims, numbers), numbers };
}

function kindOf(call: Call, dims: readonly Dim[] | undefined, numbers: readonly Dim[] | undefined): Fact['kind'] {
  if (numbers?.every(number => typeof number === 'number')) return 'fixed';
  const { opType } = call.node;
  if (opType === 'Shape') return 'sized';
  const sizes = SIZE_INPUTS[opType] ?? [];
  const kinds = new Set(
    call.inputs.map((fact, i) => (fact?.kind === 'sized' && sizes.includes(i) ? 'fixed' : fact?.kind)),
  );
  if (kinds.has('mixed')) return 'mixed';
  if (!kinds.has('rows')) return kinds.has('sized') ? 'sized' : 'fixed';
  // A value that depends on how many inputs there are, beside rows: each row's result would depend on the others' number.
  if (kinds.has('sized') || call.mixes) return 'mixed';
  return dims?.filter(isBatch).length === 1 ? 'rows' : 'mixed';
}

function inputFact({ type }: ValueInfoProto, sizeOf: (axis: number) => number | undefined): Fact {
  if (type?.value.case !== 'tensorType') return { type: undefined, dims: undefined, kind: 'mixed' };
  const { elemType, shape } = type.value.value;
  const dims = shape?.dim.map(({ value }, axis): Dim => {
    const size = value.case === 'dimValue' ? Number(value.value) : undefined;
    if (axis === 0) return size === undefined || size === 1 ? BATCH : size;
    return size ?? sizeOf(axis);
  });
  return { type: elemType, dims, kind: dims && isBatch(dims[0]) ? 'rows' : 'mixed' };
}
