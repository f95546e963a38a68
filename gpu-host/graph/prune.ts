import type { GraphProto } from 'onnx-buf';
import { readsOf } from './walk.ts';

/** What a graph needs for its outputs. */
export interface Needed {
  /** Indices of nodes. */
  readonly nodes: ReadonlySet<number>;
  /** All names that are read or given out. */
  readonly names: ReadonlySet<string>;
}

/** From the outputs upwards, no further than names that are `given`. */
export function neededFor(graph: GraphProto, given: (name: string) => boolean): Needed {
  const producer = new Map(graph.node.flatMap(({ output }, i) => output.map(name => [name, i] as const)));
  producer.delete('');
  const names = new Set(graph.output.map(({ name }) => name));
  const nodes = new Set<number>();
  // A set gives what is added while it is walked, too.
  for (const name of names) {
    const from = given(name) ? undefined : producer.get(name);
    if (from === undefined || nodes.has(from)) continue;
    nodes.add(from);
    for (const read of readsOf(graph.node[from]!)) names.add(read);
  }
  return { nodes, names };
}
