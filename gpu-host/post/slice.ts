import { bytesOf, numbersOf, sizeOfDims } from '../tensors.ts';
import type { RanGroup, RanTensor } from '../onnx/session-worker.ts';
import { WrongOutputError } from './sound.ts';
import type { RawOutput, RawOutputs } from './output.ts';

/** The outputs of the batch's `index`-th input, not copied. @throws WrongOutputError when an output has no batch dimension */
export function sliceOutputs(model: string, groups: readonly RanGroup[], index: number): RawOutputs {
  for (const { indices, outputs } of groups) {
    const position = indices.indexOf(index);
    if (position >= 0)
      return new Map(outputs.map(output => [output.name, slice(model, output, position, indices.length)]));
  }
  throw new Error(`input ${index} is in no group that ran`);
}

function slice(model: string, { name, type, dims, data }: RanTensor, position: number, count: number): RawOutput {
  if (dims[0] !== count) {
    if (count === 1) return { name, type, dims, values: numbersOf(type, data) };
    throw new WrongOutputError(
      model,
      `output "${name}" has dims [${dims.join(',')}] for a batch of ${count}: it can't be told apart by input`,
    );
  }
  const own = dims.slice(1);
  const bytes = sizeOfDims(own) * bytesOf(type);
  return { name, type, dims: own, values: numbersOf(type, data.subarray(position * bytes, (position + 1) * bytes)) };
}
