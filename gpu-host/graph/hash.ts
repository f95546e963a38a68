import { createHash } from 'node:crypto';
import { toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as A,
  type AttributeProto,
  FunctionProtoSchema,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  SparseTensorProtoSchema,
  type TensorProto,
  type TypeProto,
  TypeProtoSchema,
  type ValueInfoProto,
} from 'onnx-buf';
import { callKey, domainOf, functionKey } from './check.ts';
import { constantOf } from './constant.ts';
import { topological } from './order.ts';
import { rawBytes, type External } from './tensor.ts';
import { nodesOf, readsOf } from './walk.ts';

/** SHA-256 as 64 hex digits. Equal for two nodes or tensors that compute the same, whatever they are called. */
export type Hash = string;

/** Of a graph's nodes (by index) and of every tensor that has a name in it. */
export interface GraphHashes {
  readonly nodes: readonly Hash[];
  readonly values: ReadonlyMap<string, Hash>;
}

/** Text and bytes with their boundaries: what is hashed can be read in one way only. */
export const hashOf = (...parts: readonly unknown[]): Hash =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');

/** Inputs that have to be fed: those that aren't initialised too, as graphs of IR < 4 do. */
export function fedInputs(graph: GraphProto): ValueInfoProto[] {
  const initialised = new Set(graph.initializer.map(({ name }) => name));
  return graph.input.filter(({ name }) => !initialised.has(name));
}

/** Hashes a model's graph bottom-up: one pass over nodes and weights. */
export function hashModel(proto: ModelProto, external: External): GraphHashes {
  return new Hasher(proto, external).graph(proto.graph!, undefined);
}

/** The names of a graph; `depth` is 0 for the model's, one more for each body around. */
export interface Scope {
  readonly values: ReadonlyMap<string, Hash>;
  readonly depth: number;
  readonly outer: Scope | undefined;
}
const lookUp = (scope: Scope | undefined, name: string): Hash | undefined =>
  scope && (scope.values.get(name) ?? lookUp(scope.outer, name));

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
const floatsHex = (values: readonly number[]): string => hex(new Uint8Array(Float32Array.from(values).buffer));

/** Element type and sizes; a symbolic size is the same whatever it is called. */
function typeKey(type: TypeProto | undefined): unknown {
  if (type?.value.case !== 'tensorType') return type ? hex(toBinary(TypeProtoSchema, type)) : null;
  const { elemType, shape } = type.value.value;
  return [elemType, shape?.dim.map(({ value }) => (value.case === 'dimValue' ? value.value.toString() : '?')) ?? null];
}

export class Hasher {
  private readonly opsets = new Map<string, string>();
  private readonly functions = new Map<string, Hash>();
  private readonly external: External;

  constructor(proto: ModelProto, external: External) {
    this.external = external;
    for (const { domain, version } of proto.opsetImport) this.opsets.set(domainOf(domain), version.toString());
    this.hashFunctions(proto);
  }

  /** A function counts with its whole text and what it calls. */
  private hashFunctions({ functions }: ModelProto): void {
    const index = new Map(functions.map((one, i) => [functionKey(one), i]));
    const calls = functions.map(({ node }) => [
      ...new Set([...nodesOf(node)].flatMap(inner => index.get(callKey(inner)) ?? [])),
    ]);
    for (const i of topological(functions.length, i => calls[i]!) ?? []) {
      const one = functions[i]!;
      const called = calls[i]!.map(inner => this.functions.get(functionKey(functions[inner]!))!).toSorted();
      this.functions.set(functionKey(one), hashOf('function', hex(toBinary(FunctionProtoSchema, one)), called));
    }
  }

  /** `outer`: the graph around a body; undefined for the model's graph. */
  graph(graph: GraphProto, outer: Scope | undefined): GraphHashes {
    const values = new Map<string, Hash>();
    const depth = outer ? outer.depth + 1 : 0;
    const scope: Scope = { values, depth, outer };
    if (outer)
      graph.input.forEach(({ name, type }, position) =>
        values.set(name, hashOf('formal', depth, position, typeKey(type))),
      );
    else
      fedInputs(graph).forEach((input, position) =>
        values.set(input.name, hashOf('input', this.opsets.get('') ?? null, position, typeKey(input.type))),
      );
    for (const tensor of graph.initializer) values.set(tensor.name, this.tensor(tensor));
    const producer = new Map<string, number>();
    graph.node.forEach(({ output }, i) => {
      for (const name of output) if (name !== '') producer.set(name, i);
    });
    const needs = (i: number) => readsOf(graph.node[i]!).flatMap(name => producer.get(name) ?? []);
    const nodes: Hash[] = [];
    for (const i of topological(graph.node.length, needs)!) {
      const node = graph.node[i]!;
      const constant = constantOf(node);
      const hash = constant ? this.tensor(constant) : this.node(node, scope);
      nodes[i] = hash;
      node.output.forEach((name, output) => {
        if (name !== '') values.set(name, constant ? hash : hashOf('value', hash, output));
      });
    }
    return { nodes, values };
  }

  private node(node: NodeProto, scope: Scope): Hash {
    const domain = domainOf(node.domain);
    return hashOf(
      'node',
      node.opType,
      domain,
      this.opsets.get(domain) ?? null,
      this.functions.get(callKey(node)) ?? null,
      trimmed(node.input).map(name => (name === '' ? null : lookUp(scope, name)!)),
      // Which outputs are asked for can change what an operator does (Split, Dropout, BatchNormalization).
      trimmed(node.output).map(name => name !== ''),
      node.attribute
        .map(one => [one.name, one.type, this.attribute(one, scope)] as const)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  }

  private attribute(one: AttributeProto, scope: Scope): unknown {
    switch (one.type) {
      case A.FLOAT:
        return floatsHex([one.f]);
      case A.FLOATS:
        return floatsHex(one.floats);
      case A.INT:
        return one.i.toString();
      case A.INTS:
        return one.ints.map(String);
      case A.STRING:
        return hex(one.s);
      case A.STRINGS:
        return one.strings.map(hex);
      case A.TENSOR:
        return one.t ? this.tensor(one.t) : null;
      case A.TENSORS:
        return one.tensors.map(tensor => this.tensor(tensor));
      case A.GRAPH:
        return one.g ? this.body(one.g, scope) : null;
      case A.GRAPHS:
        return one.graphs.map(graph => this.body(graph, scope));
      case A.SPARSE_TENSOR:
      case A.SPARSE_TENSORS:
        return [...(one.sparseTensor ? [one.sparseTensor] : []), ...one.sparseTensors].map(sparse =>
          hex(toBinary(SparseTensorProtoSchema, sparse)),
        );
      default:
        return [...(one.tp ? [one.tp] : []), ...one.typeProtos].map(type => hex(toBinary(TypeProtoSchema, type)));
    }
  }

  private body(graph: GraphProto, outer: Scope): Hash {
    const { values } = this.graph(graph, outer);
    const scope: Scope = { values, depth: outer.depth + 1, outer };
    return hashOf(
      'body',
      graph.input.map(({ name }) => values.get(name)!),
      graph.output.map(({ name }) => lookUp(scope, name)!),
    );
  }

  /** Element type, dims and bytes, wherever and however they are stored. */
  tensor(tensor: TensorProto): Hash {
    const head = headOf(tensor);
    const known = largeHashes.get(tensor.rawData);
    if (known?.head === head) return known.hash;
    const hash = createHash('sha256').update(head).update(rawBytes(tensor, this.external)).digest('hex');
    if (tensor.rawData.length >= LARGE_BYTES_MIN) largeHashes.set(tensor.rawData, { head, hash });
    return hash;
  }
}

/** What the hash of a tensor covers besides its bytes. */
export const headOf = ({ dataType, dims }: TensorProto): string =>
  JSON.stringify(['tensor', dataType, dims.map(String)]);

/** Below this, hashing takes no longer than looking. */
export const LARGE_BYTES_MIN = 4096;
/** Of raw data that was hashed: models don't change. */
export const largeHashes = new WeakMap<Uint8Array, { readonly head: string; readonly hash: Hash }>();

/** Left-out optional inputs and outputs at the end are the same as ''. */
export function trimmed(names: readonly string[]): string[] {
  const end = names.findLastIndex(name => name !== '');
  return names.slice(0, end + 1);
}
