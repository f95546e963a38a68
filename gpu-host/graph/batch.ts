import type { GraphProto, NodeProto, TensorProto, ValueInfoProto } from 'onnx-buf';
import { GraphError } from './error.ts';
import { fedInputs } from './hash.ts';
import type { OnnxModel } from './model.ts';
import { changed, withFirstDim } from './protos.ts';
import { neededFor } from './prune.ts';
import { BATCH, isBatch, type Dim } from './shapes/dim.ts';
import type { Fact } from './shapes/fact.ts';
import { infer } from './shapes/infer.ts';
import { T, tensorOf } from './tensor.ts';
import { nodeOrder } from './view.ts';
import { nodeLabel } from './walk.ts';

/**
 * The model with a batch of any size. Reshapes that count on a batch of 1 are rewritten; so are those that ask for the batch's size, so that they
 * need no tensor from further up. Every output is shown to keep one entry for each input, which depends on that input alone.
 * The same model where nothing is to be done.
 * @throws GraphError naming the node from which on the batch can't be free
 */
export function freeBatch(model: OnnxModel): OnnxModel {
  const graph = model.proto.graph!;
  const inputs = fedInputs(graph);
  for (const input of inputs) checkInput(model, input);
  const wasOne = inputs.some(input => firstDim(input) === 1);
  const targets = new Map<NodeProto, number[]>();
  const facts = infer(model, {
    reshaped: (node, x, target) => {
      const literal = node.attribute.some(({ name, i }) => name === 'allowzero' && i !== 0n);
      const free = literal ? undefined : freeTarget(x, target, wasOne);
      if (free) targets.set(node, free);
      return free;
    },
  });
  for (const { name } of graph.output) checkOutput(model, name, facts);
  if (!wasOne && targets.size === 0) return model;
  const fed = new Set(inputs);
  const shapes: TensorProto[] = [];
  const nodes = graph.node.map(node => {
    const target = targets.get(node);
    if (!target) return node;
    const name = `${node.output[0]!}.freed`;
    shapes.push(tensorOf(name, T.INT64, [target.length], BigInt64Array.from(target, BigInt)));
    return changed(node, { input: [node.input[0]!, name] });
  });
  const freed = changed(graph, {
    node: nodes,
    initializer: [...graph.initializer, ...shapes],
    input: graph.input.map(info => (fed.has(info) ? withFirstDim(info, BATCH) : info)),
    output: graph.output.map(info => withFirstDim(info, BATCH)),
    valueInfo: [],
  });
  return { name: model.name, proto: changed(model.proto, { graph: pruned(freed) }), external: model.external };
}

/** An input is made for a batch of exactly 1. */
export const hasBatchOfOne = ({ proto }: OnnxModel): boolean =>
  fedInputs(proto.graph!).some(input => firstDim(input) === 1);

function pruned(graph: GraphProto): GraphProto {
  const { nodes, names } = neededFor(graph, () => false);
  return changed(graph, {
    node: graph.node.filter((_, i) => nodes.has(i)),
    initializer: graph.initializer.filter(({ name }) => names.has(name)),
    input: graph.input.filter(({ name }) => names.has(name) || !graph.initializer.some(one => one.name === name)),
  });
}

function firstDim({ type }: ValueInfoProto): number | undefined {
  const value = type?.value.case === 'tensorType' ? type.value.value.shape?.dim[0]?.value : undefined;
  return value?.case === 'dimValue' ? Number(value.value) : undefined;
}

function checkInput(model: OnnxModel, input: ValueInfoProto): void {
  const refuse = (detail: string): never => {
    throw new GraphError(model.name, `input "${input.name}"`, detail);
  };
  const shape = input.type?.value.case === 'tensorType' ? input.type.value.value.shape : undefined;
  if (!shape || shape.dim.length === 0) refuse('has no axis for the batch');
  const size = firstDim(input) ?? 1;
  if (size !== 1) refuse(`is made for a batch of exactly ${size}`);
}

/**
 * The target that does for any batch what `target` does for 1, or for the batch whose size it asks for; undefined where none is needed, or none known.
 * All entries together are as many before and after: where one size isn't known, it is what is left over.
 */
function freeTarget({ kind, dims }: Fact, target: readonly Dim[], wasOne: boolean): number[] | undefined {
  const [first, ...rest] = target;
  if (kind !== 'rows' || !dims || !isBatch(dims[0]) || first === undefined || rest.some(isBatch)) return undefined;
  if (!(isBatch(first) || (wasOne && first > 0))) return undefined;
  if (dims[0] === BATCH && (first === BATCH || first === 1)) {
    const open = rest.filter(dim => dim === undefined || dim === -1).length;
    return open <= 1 ? [0, ...rest.map(dim => (typeof dim === 'number' ? dim : -1))] : undefined;
  }
  // A 0 takes the size at the same place.
  const sizes = rest.map((dim, i) => (dim === 0 ? dims[i + 1] : dim));
  return sizes.every((dim): dim is number => typeof dim === 'number' && dim > 0) ? [-1, ...sizes] : undefined;
}

function checkOutput(model: OnnxModel, name: string, facts: ReadonlyMap<string, Fact>): void {
  const fact = facts.get(name);
  if (fact?.kind === 'rows' && fact.dims?.[0] === BATCH) return;
  const refuse = (where: string, detail: string): never => {
    throw new GraphError(model.name, where, detail);
  };
  if (fact?.kind === 'fixed' || fact?.kind === 'sized') refuse(`output "${name}"`, 'has no entry for each input');
  const { node } = model.proto.graph!;
  const { nodes } = neededFor(
    changed(model.proto.graph!, { output: model.proto.graph!.output.filter(one => one.name === name) }),
    () => false,
  );
  const isMixed = (tensor: string): boolean => facts.get(tensor)?.kind === 'mixed';
  const culprit = nodeOrder(model).find(
    i => nodes.has(i) && node[i]!.output.some(isMixed) && !node[i]!.input.some(isMixed),
  );
  if (culprit === undefined)
    return refuse(`output "${name}"`, `has its batch not in front: [${fact?.dims?.join(',') ?? '?'}]`);
  refuse(
    nodeLabel(node[culprit]!),
    "can't be shown to keep the entries of a batch apart; export the model with a symbolic batch",
  );
}
