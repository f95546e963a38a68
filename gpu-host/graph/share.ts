import { headOf, largeHashes, LARGE_BYTES_MIN } from './hash.ts';
import type { OnnxModel } from './model.ts';
import { oncePerModel } from './view.ts';
import { tensorsOf } from './walk.ts';

/** Raw data of a model's large weights, by element type and dims. */
const largeWeightsOf = oncePerModel(({ proto }): ReadonlyMap<string, readonly Uint8Array[]> => {
  const large = new Map<string, Uint8Array[]>();
  for (const tensor of tensorsOf(proto)) {
    if (tensor.rawData.length < LARGE_BYTES_MIN) continue;
    const head = headOf(tensor);
    const alike = large.get(head);
    if (alike) alike.push(tensor.rawData);
    else large.set(head, [tensor.rawData]);
  }
  return large;
});

/** Weights of a model that another one has too, byte for byte, are not hashed again: comparing takes a tenth of the time. */
export function shareHashes(model: OnnxModel, hashed: OnnxModel): void {
  const others = largeWeightsOf(hashed);
  for (const [head, weights] of largeWeightsOf(model))
    for (const weight of weights) {
      if (largeHashes.has(weight)) continue;
      const same = others.get(head)?.find(other => largeHashes.has(other) && Buffer.compare(other, weight) === 0);
      if (same) largeHashes.set(weight, largeHashes.get(same)!);
    }
}
