import { create, type Message } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as A,
  AttributeProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as T,
  TensorProtoSchema,
  TensorShapeProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type TensorShapeProto,
  type ValueInfoProto,
} from 'onnx-buf';

/** Which node makes a tensor, which read it, and which tensors are constants. */
export interface GraphIndex {
  readonly producers: ReadonlyMap<string, NodeProto>;
  /** Those count whose subgraphs read it, too. */
  readonly readers: ReadonlyMap<string, readonly NodeProto[]>;
  /** Of initialisers, and of `Constant` nodes that hold a tensor. */
  readonly constant: (name: string | undefined) => TensorProto | undefined;
}

export function indexGraph(graph: GraphProto): GraphIndex {
  const producers = new Map<string, NodeProto>();
  const readers = new Map<string, NodeProto[]>();
  for (const node of graph.node) {
    for (const name of node.output) if (name !== '') producers.set(name, node);
    for (const name of readsOf(node)) {
      const all = readers.get(name);
      if (all) all.push(node);
      else readers.set(name, [node]);
    }
  }
  const initialisers = new Map(graph.initializer.map(tensor => [tensor.name, tensor]));
  return {
    producers,
    readers,
    constant: name => {
      if (name === undefined || name === '') return undefined;
      const node = producers.get(name);
      if (!node) return initialisers.get(name);
      return node.opType === 'Constant' ? node.attribute.find(({ name }) => name === 'value')?.t : undefined;
    },
  };
}

/** Every tensor that a node reads, those that its subgraphs take from around them too. */
function readsOf(node: NodeProto): Set<string> {
  const names = new Set(node.input.filter(name => name !== ''));
  for (const { g, graphs } of node.attribute)
    for (const inner of g ? [g, ...graphs] : graphs) {
      const own = new Set([...inner.input, ...inner.initializer].map(({ name }) => name));
      for (const child of inner.node) {
        for (const name of readsOf(child)) if (!own.has(name)) names.add(name);
        for (const name of child.output) own.add(name);
      }
      for (const { name } of inner.output) if (!own.has(name)) names.add(name);
    }
  return names;
}

/** A message with some fields changed: a plain copy would lose the defaults, which lie in its prototype. */
export const changed = <T extends Message>(message: T, fields: Partial<T>): T =>
  Object.assign(Object.create(Object.getPrototypeOf(message) as object) as T, message, fields);

/** What `outputs` need of a graph: nodes, initialisers, inputs. What stays, stays as it is and in its order. */
export function pruned(graph: GraphProto, outputs: ValueInfoProto[]): GraphProto {
  const { producers } = indexGraph(graph);
  const needed = new Set<string>();
  const kept = new Set<NodeProto>();
  const open = outputs.map(({ name }) => name);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    const node = producers.get(name);
    if (!node || kept.has(node)) continue;
    kept.add(node);
    open.push(...readsOf(node));
  }
  const isNeeded = ({ name }: { readonly name: string }): boolean => needed.has(name);
  return changed(graph, {
    node: graph.node.filter(node => kept.has(node)),
    initializer: graph.initializer.filter(isNeeded),
    input: graph.input.filter(isNeeded),
    valueInfo: graph.valueInfo.filter(info => isNeeded(info) && !outputs.some(({ name }) => name === info.name)),
    output: outputs,
  });
}

/** `Conv "conv_3"`, or by its output where it has no name. */
export const nameOfNode = ({ opType, name, output }: NodeProto): string => `${opType} "${name || output[0]}"`;

/** A name that no tensor has: `wanted`, or with a number behind. */
export function freshName(graph: GraphProto, wanted: string): string {
  const taken = new Set([
    ...[...graph.input, ...graph.initializer].map(({ name }) => name),
    ...graph.node.flatMap(node => [...node.output, ...readsOf(node)]),
  ]);
  for (let count = 1, name = wanted; ; name = `${wanted}_${++count}`) if (!taken.has(name)) return name;
}

/**
 * The graph in which one node's constant input has another value; whoever else reads the constant keeps the old one. The new constant
 * is stored as the old one was.
 */
export function withConstant(
  graph: GraphProto,
  { node, input, tensor }: { node: NodeProto; input: number; tensor: TensorProto },
): GraphProto {
  const name = node.input[input]!;
  const { readers, producers } = indexGraph(graph);
  if (readers.get(name)!.some(reader => reader !== node)) {
    const own = freshName(graph, `${name}_of_${node.output[0]}`);
    const reader = changed(node, { input: node.input.with(input, own) });
    return changed(graph, {
      node: [constantNode(own, tensor), ...graph.node.map(one => (one === node ? reader : one))],
    });
  }
  const producer = producers.get(name);
  if (producer) {
    const made = changed(constantNode(name, tensor), { name: producer.name });
    return changed(graph, { node: graph.node.map(one => (one === producer ? made : one)) });
  }
  return changed(graph, {
    initializer: graph.initializer.map(one => (one.name === name ? changed(tensor, { name }) : one)),
    // Old graphs list their initialisers as inputs too.
    input: graph.input.map(info => (info.name === name ? valueInfo(name, tensor.dataType, tensor.dims) : info)),
  });
}

export const constantNode = (name: string, tensor: TensorProto): NodeProto =>
  nodeOf('Constant', [], name, [create(AttributeProtoSchema, { name: 'value', type: A.TENSOR, t: tensor })]);

export const nodeOf = (opType: string, input: string[], output: string, attribute: AttributeProto[] = []): NodeProto =>
  create(NodeProtoSchema, { opType, name: `ganglion.${output}`, input, output: [output], attribute });

export const integer = (name: string, value: number): AttributeProto =>
  create(AttributeProtoSchema, { name, type: A.INT, i: BigInt(value) });
export const integers = (name: string, values: readonly number[]): AttributeProto =>
  create(AttributeProtoSchema, { name, type: A.INTS, ints: values.map(BigInt) });

/** The attribute of a node, where it is an integer. */
export const integerOf = (node: NodeProto, name: string): number | undefined => {
  const found = node.attribute.find(one => one.name === name);
  return found && Number(found.i);
};

/** float32 or int64, little-endian as ONNX stores them. */
export const tensorOf = (name: string, dims: readonly number[], values: Float32Array | BigInt64Array): TensorProto =>
  create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: values instanceof Float32Array ? T.FLOAT : T.INT64,
    rawData: new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength),
  });

/** @param dims a text is a size that may vary; undefined: of any shape */
export function valueInfo(
  name: string,
  elemType: number,
  dims: readonly (bigint | number | string)[] | undefined,
): ValueInfoProto {
  const shape: { shape?: TensorShapeProto } = dims
    ? {
        shape: create(TensorShapeProtoSchema, {
          dim: dims.map(dim => ({
            value:
              typeof dim === 'string'
                ? { case: 'dimParam' as const, value: dim }
                : { case: 'dimValue' as const, value: BigInt(dim) },
          })),
        }),
      }
    : {};
  return create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value: { elemType, ...shape } } } });
}
