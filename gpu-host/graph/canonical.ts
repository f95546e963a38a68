import { create } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as A,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type TypeProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { callKey, domainOf, functionKey } from './check.ts';
import { constantOf } from './constant.ts';
import { Hasher, trimmed, type Hash, type Scope } from './hash.ts';
import type { OnnxModel } from './model.ts';
import { topological } from './order.ts';
import { identityNode, valueInfo } from './protos.ts';
import { BATCH } from './shapes/dim.ts';
import { factsOf } from './shapes/infer.ts';
import { stepsBehind, stepsOf } from './steps.ts';
import { rawTensor } from './tensor.ts';
import { hashesOf } from './view.ts';
import { nodesOf, readsOf } from './walk.ts';

/** Has functions, 8-bit floats and 4-bit integers; onnxruntime reads it since 1.18. */
const IR_VERSION = 10n;

/** What a tensor is called in every prefix, and where it enters a suffix. */
export const crossingName = (hash: Hash): string => `t${hash.slice(0, 32)}`;
export const inputName = (position: number): string => `in${position}`;

/**
 * The leading part of a model that makes `tensors`, written so that it is the same bytes from whichever model it was taken: names
 * come from hashes, nodes are in an order of their hashes, equal subtrees are one, constants are initialisers with raw data.
 */
export function canonicalPrefix(model: OnnxModel, tensors: readonly Hash[]): ModelProto {
  const { all, inputs, tensors: constants, producer } = stepsOf(model);
  const writer = new BodyWriter(model);
  const nameOf = (hash: Hash): string => {
    const input = inputs.get(hash);
    return input ? inputName(input.position) : crossingName(hash);
  };
  const { values } = hashesOf(model);
  const scope: Scope = { values, depth: 0, outer: undefined };
  const ordered = inHashOrder(
    stepsBehind(model, tensors).map(i => all[i]!),
    step => step.reads.flatMap(hash => (producer.has(hash) ? all[producer.get(hash)!]!.hash : [])),
  );
  const nodes = ordered.map(({ node }) => writer.node(node, scope, name => nameOf(values.get(name)!)));
  const sorted = [...new Set(tensors)].toSorted();
  for (const hash of sorted) if (inputs.has(hash)) nodes.push(identityNode(nameOf(hash), crossingName(hash)));
  const used = new Set(ordered.flatMap(({ reads }) => reads));
  const fed = [...inputs].filter(([hash]) => used.has(hash) || sorted.includes(hash));
  const functions = calledFunctions(model.proto, nodes);
  const domains = new Set(['', ...[...nodesOf(nodes)].map(({ domain }) => domain)]);
  return create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'ganglion',
    opsetImport: model.proto.opsetImport
      .map(({ domain, version }) => ({ domain: domainOf(domain), version }))
      .filter(({ domain }, i, every) => domains.has(domain) && every.findIndex(one => one.domain === domain) === i)
      .toSorted((a, b) => (a.domain < b.domain ? -1 : 1))
      .map(opset => create(OperatorSetIdProtoSchema, opset)),
    functions,
    graph: create(GraphProtoSchema, {
      name: 'prefix',
      node: nodes,
      initializer: [...used]
        .filter(hash => constants.has(hash))
        .toSorted()
        .map(hash => rawTensor(constants.get(hash)!, crossingName(hash), model.external)),
      input: fed.map(([, { position, info }]) => canonicalInput(inputName(position), info.type, BATCH)),
      output: sorted.map(hash => crossingInfo(model, hash)),
    }),
  });
}

/** A tensor at a cut, with what is known of its shape. Names of symbolic sizes come from its own. */
export function crossingInfo(model: OnnxModel, hash: Hash): ValueInfoProto {
  const name = crossingName(hash);
  const fact = factsOf(model).get(stepsOf(model).names.get(hash)!)!;
  const dims = fact.dims?.map((dim, axis) => (dim === BATCH || typeof dim === 'number' ? dim : `${name}.${axis}`));
  return valueInfo(name, fact.type!, dims);
}

/** An input of a graph or a body, with symbolic sizes named after it; `first` is what the first one is called. */
function canonicalInput(name: string, type: TypeProto | undefined, first = `${name}.0`): ValueInfoProto {
  if (type?.value.case !== 'tensorType' || !type.value.value.shape)
    return create(ValueInfoProtoSchema, type ? { name, type } : { name });
  const { elemType, shape } = type.value.value;
  const dims = shape.dim.map(({ value }, axis) =>
    value.case === 'dimValue' ? Number(value.value) : axis === 0 ? first : `${name}.${axis}`,
  );
  return valueInfo(name, elemType, dims);
}

/** Functions of the model that nodes call, and those that these call. */
export function calledFunctions({ functions }: ModelProto, nodes: readonly NodeProto[]): ModelProto['functions'] {
  const called = new Set([...nodesOf(nodes)].map(callKey));
  let size: number;
  do {
    size = called.size;
    for (const one of functions)
      if (called.has(functionKey(one))) for (const node of nodesOf(one.node)) called.add(callKey(node));
  } while (called.size > size);
  return functions
    .filter(one => called.has(functionKey(one)))
    .toSorted((a, b) => (functionKey(a) < functionKey(b) ? -1 : 1));
}

interface Hashed {
  readonly hash: Hash;
}

/** Each once and after what it needs, otherwise by hash. */
function inHashOrder<T extends Hashed>(items: readonly T[], needsOf: (item: T) => readonly Hash[]): T[] {
  const sorted = [...new Map(items.map(item => [item.hash, item])).values()].toSorted((a, b) =>
    a.hash < b.hash ? -1 : 1,
  );
  const index = new Map(sorted.map(({ hash }, i) => [hash, i]));
  const needs = (i: number) =>
    needsOf(sorted[i]!)
      .flatMap(hash => index.get(hash) ?? [])
      .toSorted((a, b) => a - b);
  return topological(sorted.length, needs)!.map(i => sorted[i]!);
}

/** Writes nodes with their bodies under names that come from hashes. */
class BodyWriter {
  private readonly model: OnnxModel;
  private readonly hasher: Hasher;

  constructor(model: OnnxModel) {
    this.model = model;
    this.hasher = new Hasher(model.proto, model.external);
  }

  node(node: NodeProto, scope: Scope, nameOf: (name: string) => string): NodeProto {
    const named = (name: string): string => (name === '' ? '' : nameOf(name));
    return create(NodeProtoSchema, {
      opType: node.opType,
      domain: domainOf(node.domain),
      overload: node.overload,
      input: trimmed(node.input).map(named),
      output: trimmed(node.output).map(named),
      attribute: node.attribute
        .toSorted((a, b) => (a.name < b.name ? -1 : 1))
        .map(one => this.attribute(one, scope, nameOf)),
    });
  }

  private attribute(one: AttributeProto, scope: Scope, nameOf: (name: string) => string): AttributeProto {
    const { name, type, f, i, s, t, g, floats, ints, strings, tensors, graphs } = one;
    const raw = (tensor: TensorProto): TensorProto => rawTensor(tensor, '', this.model.external);
    const value = ((): Omit<Partial<AttributeProto>, '$typeName' | '$unknown'> => {
      switch (type) {
        case A.FLOAT:
          return { f };
        case A.FLOATS:
          return { floats };
        case A.INT:
          return { i };
        case A.INTS:
          return { ints };
        case A.STRING:
          return { s };
        case A.STRINGS:
          return { strings };
        case A.TENSOR:
          return t ? { t: raw(t) } : {};
        case A.TENSORS:
          return { tensors: tensors.map(raw) };
        case A.GRAPH:
          return g ? { g: this.body(g, scope, nameOf) } : {};
        case A.GRAPHS:
          return { graphs: graphs.map(graph => this.body(graph, scope, nameOf)) };
        case A.SPARSE_TENSOR:
          return one.sparseTensor ? { sparseTensor: one.sparseTensor } : {};
        case A.SPARSE_TENSORS:
          return { sparseTensors: one.sparseTensors };
        case A.TYPE_PROTO:
          return one.tp ? { tp: one.tp } : {};
        default:
          return { typeProtos: one.typeProtos };
      }
    })();
    return create(AttributeProtoSchema, { name, type, ...value });
  }

  /** Names inside end in the depth, so that they hide none outside. Outputs get theirs through an Identity: a body may give one tensor twice. */
  private body(graph: GraphProto, outer: Scope, outerName: (name: string) => string): GraphProto {
    const { nodes: hashes, values } = this.hasher.graph(graph, outer);
    const depth = outer.depth + 1;
    const scope: Scope = { values, depth, outer };
    const formal = new Map(graph.input.map(({ name }, position) => [name, `in${position}.${depth}`]));
    const nameOf = (name: string): string => {
      const hash = values.get(name);
      return formal.get(name) ?? (hash === undefined ? outerName(name) : `${crossingName(hash)}.${depth}`);
    };
    const producer = new Map(graph.node.flatMap((node, i) => node.output.map(name => [name, i] as const)));
    producer.delete('');
    const makers = (names: readonly string[]): number[] => names.flatMap(name => producer.get(name) ?? []);
    const needed = new Set(makers(graph.output.map(({ name }) => name)));
    for (const i of needed) for (const maker of makers(readsOf(graph.node[i]!))) needed.add(maker);
    const steps = [...needed]
      .filter(i => !constantOf(graph.node[i]!))
      .map(i => ({ hash: hashes[i]!, node: graph.node[i]! }));
    const ordered = inHashOrder(steps, ({ node }) => makers(readsOf(node)).map(i => hashes[i]!));
    const read = new Set([...ordered.flatMap(({ node }) => readsOf(node)), ...graph.output.map(({ name }) => name)]);
    const constants = new Map<string, TensorProto>();
    for (const tensor of graph.initializer) if (read.has(tensor.name)) constants.set(nameOf(tensor.name), tensor);
    for (const node of graph.node) {
      const constant = constantOf(node);
      if (constant && read.has(node.output[0]!)) constants.set(nameOf(node.output[0]!), constant);
    }
    return create(GraphProtoSchema, {
      name: 'body',
      node: [
        ...ordered.map(({ node }) => this.node(node, scope, nameOf)),
        ...graph.output.map(({ name }, position) => identityNode(nameOf(name), `out${position}.${depth}`)),
      ],
      initializer: [...constants]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, tensor]) => rawTensor(tensor, name, this.model.external)),
      input: graph.input.map(({ name, type }) => canonicalInput(formal.get(name)!, type)),
      output: graph.output.map((_, position) => create(ValueInfoProtoSchema, { name: `out${position}.${depth}` })),
    });
  }
}
