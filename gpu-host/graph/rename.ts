import type { GraphProto, NodeProto } from 'onnx-buf';
import { changed } from './protos.ts';
import { graphsOf, readsOf } from './walk.ts';

/** A node that reads other names, in its bodies too; the same object where nothing changes. */
export function withReads(node: NodeProto, names: ReadonlyMap<string, string>): NodeProto {
  if (!readsOf(node).some(name => names.has(name))) return node;
  return changed(node, {
    input: node.input.map(name => names.get(name) ?? name),
    attribute: node.attribute.map(one =>
      graphsOf(one).length === 0
        ? one
        : changed(one, {
            ...(one.g ? { g: bodyWithReads(one.g, names) } : {}),
            graphs: one.graphs.map(graph => bodyWithReads(graph, names)),
          }),
    ),
  });
}

function bodyWithReads(body: GraphProto, names: ReadonlyMap<string, string>): GraphProto {
  const outside = new Map(names);
  for (const { name } of [...body.input, ...body.initializer]) outside.delete(name);
  for (const { output } of body.node) for (const name of output) outside.delete(name);
  return changed(body, {
    node: body.node.map(node => withReads(node, outside)),
    output: body.output.map(info => changed(info, { name: outside.get(info.name) ?? info.name })),
  });
}
