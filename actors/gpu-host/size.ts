import type { Payload } from '../../contracts/index.ts';

/** Bytes that a payload brings. */
export const payloadBytes = (payload: Payload): number =>
  payload.encoding === 'tensors'
    ? Object.values(payload.tensors).reduce((sum, tensor) => sum + tensor.data.byteLength, 0)
    : payload.data.byteLength;

/**
 * An upper bound of what plain data takes as msgpack, bytes; binary and text dominate, and for them it is nearly exact.
 * Cheaper than encoding twice. What can't be encoded counts as nothing: encoding it will say so.
 */
export function encodedBytesMax(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return 5 + (value.length < 64 ? value.length * 3 : Buffer.byteLength(value));
    case 'number':
    case 'bigint':
      return 9;
    case 'object':
      return value === null ? 1 : ofObject(value);
    default:
      return 1;
  }
}

function ofObject(value: object): number {
  if (value instanceof Uint8Array) return 5 + value.byteLength;
  let bytes = 5;
  if (Array.isArray(value)) {
    for (const item of value) bytes += encodedBytesMax(item);
    return bytes;
  }
  for (const key in value) bytes += encodedBytesMax(key) + encodedBytesMax((value as Record<string, unknown>)[key]);
  return bytes;
}
