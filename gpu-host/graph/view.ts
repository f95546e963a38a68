import { hashModel, type GraphHashes } from './hash.ts';
import type { OnnxModel } from './model.ts';
import { topological } from './order.ts';
import { readsOf } from './walk.ts';

/** Computes once for each model: models don't change. */
export function oncePerModel<T>(compute: (model: OnnxModel) => T): (model: OnnxModel) => T {
  const known = new WeakMap<OnnxModel, T>();
  return model => {
    const found = known.get(model);
    if (found !== undefined) return found;
    const made = compute(model);
    known.set(model, made);
    return made;
  };
}

/** Hash of every node and tensor of the model's graph. */
export const hashesOf: (model: OnnxModel) => GraphHashes = oncePerModel(({ proto, external }) =>
  hashModel(proto, external),
);

/** Indices of the nodes, each after those that it reads from. */
export const nodeOrder: (model: OnnxModel) => readonly number[] = oncePerModel(({ proto }) => {
  const { node } = proto.graph!;
  const producer = new Map(node.flatMap(({ output }, i) => output.map(name => [name, i] as const)));
  producer.delete('');
  return topological(node.length, i => readsOf(node[i]!).flatMap(name => producer.get(name) ?? []))!;
});
