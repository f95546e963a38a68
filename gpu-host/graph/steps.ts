import type { NodeProto, TensorProto, ValueInfoProto } from 'onnx-buf';
import { constantOf } from './constant.ts';
import { fedInputs, type Hash } from './hash.ts';
import type { OnnxModel } from './model.ts';
import { hashesOf, nodeOrder, oncePerModel } from './view.ts';
import { nodesOf, readsOf } from './walk.ts';

/** Nodes that compute the same, seen as one. Indices are into {@link Steps.all}. */
export interface Step {
  readonly hash: Hash;
  /** One of them. */
  readonly node: NodeProto;
  /** Hashes of what it reads, bodies included; each once. */
  readonly reads: readonly Hash[];
  /** Hashes of its outputs; '' for one that isn't made. */
  readonly outputs: readonly Hash[];
  /** Depends on an input of the model. Others are constants which each part computes for itself. */
  readonly dynamic: boolean;
  /** Steps that it reads from. */
  readonly needs: readonly number[];
}

/** A model's graph with equal subtrees seen once, in terms of hashes instead of names. */
export interface Steps {
  /** Each after those that it needs. */
  readonly all: readonly Step[];
  readonly producer: ReadonlyMap<Hash, number>;
  readonly inputs: ReadonlyMap<Hash, { readonly position: number; readonly info: ValueInfoProto }>;
  /** Initialisers and constants. */
  readonly tensors: ReadonlyMap<Hash, TensorProto>;
  /** Of the model's outputs. */
  readonly outputs: readonly Hash[];
  /** A name in the graph for a hash. */
  readonly names: ReadonlyMap<Hash, string>;
}

const RANDOM = new Set([
  'Bernoulli',
  'Multinomial',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
]);
/** Gives another answer each time, so that two equal ones aren't one. */
export const isRandom = (node: NodeProto): boolean => [...nodesOf([node])].some(({ opType }) => RANDOM.has(opType));

export const stepsOf: (model: OnnxModel) => Steps = oncePerModel(makeSteps);

function makeSteps(model: OnnxModel): Steps {
  const graph = model.proto.graph!;
  const { nodes, values } = hashesOf(model);
  const hash = (name: string): Hash => values.get(name)!;
  const inputs = new Map(fedInputs(graph).map((info, position) => [hash(info.name), { position, info }]));
  const tensors = new Map<Hash, TensorProto>(graph.initializer.map(tensor => [hash(tensor.name), tensor]));
  const producer = new Map<Hash, number>();
  const all: Step[] = [];
  const seen = new Set<Hash>();
  for (const i of nodeOrder(model)) {
    const node = graph.node[i]!;
    const constant = constantOf(node);
    if (constant) {
      tensors.set(hash(node.output[0]!), constant);
      continue;
    }
    if (seen.has(nodes[i]!)) continue;
    seen.add(nodes[i]!);
    const reads = [...new Set(readsOf(node).map(hash))];
    const needs = reads.flatMap(one => producer.get(one) ?? []);
    const dynamic = reads.some(one => inputs.has(one)) || needs.some(at => all[at]!.dynamic);
    const outputs = node.output.map(name => (name === '' ? '' : hash(name)));
    for (const output of outputs) if (output) producer.set(output, all.length);
    all.push({ hash: nodes[i]!, node, reads, outputs, dynamic, needs });
  }
  const names = new Map<Hash, string>();
  for (const [name, value] of values) if (!names.has(value)) names.set(value, name);
  return { all, producer, inputs, tensors, outputs: graph.output.map(({ name }) => hash(name)), names };
}

/** The steps that `values` need, all the way up, in order. */
export function stepsBehind(model: OnnxModel, values: Iterable<Hash>): number[] {
  const { all, producer } = stepsOf(model);
  const wanted = new Set([...values].flatMap(value => producer.get(value) ?? []));
  for (let at = all.length - 1; at >= 0; at--) if (wanted.has(at)) for (const need of all[at]!.needs) wanted.add(need);
  return [...wanted].sort((a, b) => a - b);
}
