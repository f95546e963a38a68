import { InputError, type ModelDocument, type Payload, type Picture } from '../contracts/index.ts';
import { ownBytes } from './tensors.ts';

/** The bytes of an `rgb` picture fit its size. @throws InputError */
export function checkRgb(picture: Picture): { width: number; height: number } {
  const { width, height, data } = picture;
  if (!width || !height) throw new InputError('an rgb picture needs its width and height, each at least 1');
  const bytes = width * height * 3;
  if (data.byteLength !== bytes)
    throw new InputError(`an rgb picture of ${width}×${height} has ${bytes} bytes, this one ${data.byteLength}`);
  return { width, height };
}

/** What can be told without decoding: the payload is of the sort that the model takes. @throws InputError */
export function checkPayload(document: ModelDocument, payload: Payload): void {
  const wanted = document.preprocess.kind;
  if (wanted === 'module') return;
  if (wanted === 'picture' && payload.encoding === 'tensors')
    throw new InputError(`model ${document.name} takes a picture, the payload brings tensors`);
  if (wanted === 'tensors' && payload.encoding !== 'tensors')
    throw new InputError(`model ${document.name} takes tensors, the payload is a picture (${payload.encoding})`);
  if (payload.encoding === 'rgb') checkRgb(payload);
  else if (payload.encoding !== 'tensors' && payload.data.byteLength === 0)
    throw new InputError(`the ${payload.encoding} is empty`);
}

/** Bytes that a payload brings. */
export const payloadBytes = (payload: Payload): number =>
  payload.encoding === 'tensors'
    ? Object.values(payload.tensors).reduce((sum, tensor) => sum + tensor.data.byteLength, 0)
    : payload.data.byteLength;

/** A copy that may be kept and transferred. Only the bytes that are seen: a view of a packet would drag the packet along. */
export function ownPayload(payload: Payload): { payload: Payload; transfer: ArrayBuffer[] } {
  if (payload.encoding !== 'tensors') {
    const data = ownBytes(payload.data);
    return { payload: { ...payload, data }, transfer: [data.buffer] };
  }
  const transfer: ArrayBuffer[] = [];
  const tensors = Object.entries(payload.tensors).map(([name, tensor]) => {
    const data = ownBytes(tensor.data);
    transfer.push(data.buffer);
    return [name, { ...tensor, data }] as const;
  });
  return { payload: { encoding: 'tensors', tensors: Object.fromEntries(tensors) }, transfer };
}
