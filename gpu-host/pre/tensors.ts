import { InputError, type Tensor } from '../../contracts/index.ts';
import { bytesOf, ownBytes, sizeOfDims } from '../tensors.ts';
import type { GraphTensor } from '../onnx/graph.ts';
import type { Feed } from './input.ts';

const text = (dims: readonly (number | string)[]): string => `[${dims.join(',')}]`;

/**
 * One input's tensors for the graph. Dims may carry the batch (a leading 1) or leave it out.
 * @throws InputError: a tensor is missing, unknown, of another type or shape, or its data doesn't fit its dims
 */
export function feedsOfTensors(inputs: readonly GraphTensor[], tensors: Readonly<Record<string, Tensor>>): Feed[] {
  const names = inputs.map(input => input.name);
  for (const name of Object.keys(tensors))
    if (!names.includes(name)) throw new InputError(`there is no input "${name}"; the model takes ${names.join(', ')}`);
  return inputs.map(input => {
    const tensor = tensors[input.name];
    if (!tensor) throw new InputError(`tensor "${input.name}" is missing; the model takes ${names.join(', ')}`);
    return feedOfTensor(input, tensor);
  });
}

function feedOfTensor({ name, type, dims: shape }: GraphTensor, tensor: Tensor): Feed {
  if (tensor.type !== type) throw new InputError(`tensor "${name}" is ${tensor.type}, the model takes ${type}`);
  const withBatch = tensor.dims.length === shape.length && tensor.dims[0] === 1;
  const dims = withBatch ? tensor.dims.slice(1) : tensor.dims;
  const wanted = shape.slice(1);
  if (dims.length !== wanted.length || !wanted.every((dim, i) => typeof dim !== 'number' || dim === dims[i]))
    throw new InputError(`tensor "${name}" has dims ${text(tensor.dims)}, one input of the model has ${text(wanted)}`);
  const bytes = sizeOfDims(dims) * bytesOf(tensor.type);
  if (tensor.data.byteLength !== bytes)
    throw new InputError(
      `tensor "${name}" of dims ${text(tensor.dims)} has ${bytes} bytes, not ${tensor.data.byteLength}`,
    );
  return { name, type: tensor.type, dims, data: ownBytes(tensor.data) };
}
