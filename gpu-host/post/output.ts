import type { Numbers, TensorType } from '../tensors.ts';
import { hasNaN, WrongOutputError } from './sound.ts';

/** One output tensor, cut down to one input of the batch. */
export interface RawOutput {
  readonly name: string;
  readonly type: TensorType;
  /** Without the batch. */
  readonly dims: readonly number[];
  readonly values: Numbers;
}
export type RawOutputs = ReadonlyMap<string, RawOutput>;

/** An output as plain float numbers. @throws Error when it is absent or of another type, WrongOutputError */
export function floatsOf(
  outputs: RawOutputs,
  name: string,
  model: string,
): { dims: readonly number[]; values: Float32Array } {
  const output = outputs.get(name);
  if (!output) throw new Error(`gave no output "${name}"`);
  if (!(output.values instanceof Float32Array))
    throw new Error(`output "${name}" is ${output.type}, its postprocessing reads float32`);
  if (hasNaN(output.values)) throw new WrongOutputError(model, `output "${name}" has values that are no numbers`);
  return { dims: output.dims, values: output.values };
}
