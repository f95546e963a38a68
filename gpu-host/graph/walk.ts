import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from 'onnx-buf';

/** For messages. */
export const nodeLabel = (node: NodeProto): string =>
  `node "${node.name || node.output.find(name => name !== '') || '?'}" (${node.opType || 'no operator'})`;

export const graphsOf = (attribute: AttributeProto): GraphProto[] =>
  attribute.g ? [attribute.g, ...attribute.graphs] : attribute.graphs;

/** The graphs inside a node: branches of an If, the body of a Loop or Scan. */
export const bodiesOf = (node: NodeProto): GraphProto[] => node.attribute.flatMap(graphsOf);

/** All nodes of a graph and of the graphs inside it. */
export function* nodesOf(nodes: readonly NodeProto[]): Generator<NodeProto> {
  for (const node of nodes) {
    yield node;
    for (const body of bodiesOf(node)) yield* nodesOf(body.node);
  }
}

/** All dense tensors of a model: initialisers and attributes, at any depth. */
export function* tensorsOf(proto: ModelProto): Generator<TensorProto> {
  if (proto.graph) yield* tensorsOfGraph(proto.graph);
  for (const { node } of proto.functions) yield* tensorsOfNodes(node);
}
function* tensorsOfGraph(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  yield* tensorsOfNodes(graph.node);
}
function* tensorsOfNodes(nodes: readonly NodeProto[]): Generator<TensorProto> {
  for (const { attribute } of nodes)
    for (const one of attribute) {
      if (one.t) yield one.t;
      yield* one.tensors;
      for (const graph of graphsOf(one)) yield* tensorsOfGraph(graph);
    }
}

/** Names that a node reads: its inputs and what its bodies take from outside, each once. */
export function readsOf(node: NodeProto): string[] {
  const names = new Set(node.input);
  for (const body of bodiesOf(node)) for (const name of capturesOf(body)) names.add(name);
  names.delete('');
  return [...names];
}

/** Names that a body takes from the graphs around it. */
function capturesOf(body: GraphProto): Set<string> {
  const own = new Set<string>();
  for (const { name } of body.input) own.add(name);
  for (const { name } of body.initializer) own.add(name);
  for (const { output } of body.node) for (const name of output) own.add(name);
  const captured = new Set<string>();
  const note = (name: string): void => {
    if (name !== '' && !own.has(name)) captured.add(name);
  };
  for (const node of body.node) for (const name of readsOf(node)) note(name);
  for (const { name } of body.output) note(name);
  return captured;
}
