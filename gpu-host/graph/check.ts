import {
  AttributeProto_AttributeType as A,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
} from 'onnx-buf';
import { GraphError } from './error.ts';
import { topological } from './order.ts';
import { checkTensor, type External } from './tensor.ts';
import { bodiesOf, nodeLabel, nodesOf, readsOf, tensorsOf } from './walk.ts';

const NODES_MAX = 100_000;

/** `ai.onnx` is the long name of the domain ''. */
export const domainOf = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

export const functionKey = ({ domain, name, overload }: Pick<FunctionProto, 'domain' | 'name' | 'overload'>): string =>
  JSON.stringify([domainOf(domain), name, overload]);

/** Everything that surgery relies on. @throws GraphError */
export function checkModel(model: string, proto: ModelProto, external: External): void {
  const refuse = (where: string, detail: string): never => {
    throw new GraphError(model, where, detail);
  };
  const { graph } = proto;
  if (!graph) return refuse('file', 'has no graph: this is no ONNX model, or a damaged one');
  const versions = checkOpsets(model, proto);
  if (graph.output.length === 0) refuse('graph', 'has no outputs');
  for (const tensor of tensorsOf(proto)) checkTensor(model, `tensor "${tensor.name}"`, tensor, external.get(tensor));
  const functions = new Map(proto.functions.map(one => [functionKey(one), one]));
  if (functions.size < proto.functions.length) refuse('functions', 'two have the same domain, name and overload');
  let count = 0;
  for (const node of nodesOf([...graph.node, ...proto.functions.flatMap(({ node }) => node)])) {
    if (++count > NODES_MAX) refuse('graph', `has more than ${NODES_MAX} nodes`);
    if (node.opType === '') refuse(nodeLabel(node), 'names no operator');
  }
  for (const node of nodesOf(graph.node)) {
    if (!versions.has(domainOf(node.domain)) && !functions.has(callKey(node)))
      refuse(nodeLabel(node), `the model imports no version of its domain "${node.domain}"`);
    for (const { name, type } of node.attribute)
      if (A[type] === undefined || type === A.UNDEFINED)
        refuse(nodeLabel(node), `attribute "${name}" has no known type`);
  }
  checkCalls(model, proto.functions, functions);
  checkGraph(model, graph, undefined);
}

export const callKey = (node: NodeProto): string =>
  functionKey({ domain: node.domain, name: node.opType, overload: node.overload });

function checkOpsets(model: string, { opsetImport }: ModelProto): Map<string, bigint> {
  const versions = new Map<string, bigint>();
  for (const { domain, version } of opsetImport) {
    if (versions.has(domainOf(domain)) && versions.get(domainOf(domain)) !== version)
      throw new GraphError(model, 'opset_import', `two versions of domain "${domain}"`);
    versions.set(domainOf(domain), version);
  }
  if (versions.size === 0) throw new GraphError(model, 'opset_import', 'is empty: no operator has a meaning');
  return versions;
}

/** Functions of the model may call each other, but not in a circle. */
function checkCalls(model: string, all: readonly FunctionProto[], functions: ReadonlyMap<string, FunctionProto>): void {
  const calls = all.map(({ node }) => {
    const called = new Set([...nodesOf(node)].map(callKey));
    return all.flatMap((one, i) => (called.has(functionKey(one)) ? [i] : []));
  });
  if (functions.size > 0 && !topological(all.length, i => calls[i]!))
    throw new GraphError(model, 'functions', 'call each other in a circle');
}

/** The names that a graph defines, inside those of the graphs around it. */
interface Scope {
  readonly own: ReadonlySet<string>;
  readonly outer: Scope | undefined;
}
const knows = (scope: Scope | undefined, name: string): boolean =>
  scope !== undefined && (scope.own.has(name) || knows(scope.outer, name));

/** Every name is defined once and read where it is known; nodes form no cycle. */
function checkGraph(model: string, graph: GraphProto, outer: Scope | undefined): void {
  const refuse = (where: string, detail: string): never => {
    throw new GraphError(model, where, detail);
  };
  if (graph.sparseInitializer.length > 0) refuse('graph', 'has sparse initialisers, which are not supported');
  const own = new Set<string>();
  for (const { name } of graph.input) {
    if (name === '' || own.has(name)) refuse(`input "${name}"`, 'inputs need names of their own');
    own.add(name);
  }
  const initialised = new Set<string>();
  for (const { name } of graph.initializer) {
    if (name === '' || initialised.has(name)) refuse(`initialiser "${name}"`, 'initialisers need names of their own');
    initialised.add(name);
    own.add(name);
  }
  const producer = new Map<string, number>();
  graph.node.forEach((node, i) => {
    for (const name of node.output) {
      if (name === '') continue;
      if (own.has(name)) refuse(nodeLabel(node), `makes "${name}", which exists already`);
      own.add(name);
      producer.set(name, i);
    }
  });
  const scope: Scope = { own, outer };
  const needs = graph.node.map(node => {
    for (const body of bodiesOf(node)) checkGraph(model, body, scope);
    return readsOf(node).flatMap(name => {
      if (!knows(scope, name)) refuse(nodeLabel(node), `reads "${name}", which nothing makes`);
      return producer.get(name) ?? [];
    });
  });
  if (!topological(needs.length, i => needs[i]!)) refuse('graph', 'has a cycle');
  for (const { name } of graph.output) if (!knows(scope, name)) refuse(`output "${name}"`, 'is made by nothing');
}
