import type { Tensor } from '../contracts/index.ts';

export type TensorType = Tensor['type'];
export type Numbers = Float32Array | Uint8Array | Int32Array | BigInt64Array;

const BYTES: Record<TensorType, number> = { float32: 4, uint8: 1, int32: 4, int64: 8, bool: 1 };

/** Bytes of one value. */
export const bytesOf = (type: TensorType): number => BYTES[type];
export const isTensorType = (type: string): type is TensorType => type in BYTES;
export const sizeOfDims = (dims: readonly number[]): number => dims.reduce((size, dim) => size * dim, 1);

/** The values behind bytes, which are copied only where they aren't aligned. bool is one byte a value. */
export function numbersOf(type: TensorType, bytes: Uint8Array): Numbers {
  const aligned = bytes.byteOffset % BYTES[type] === 0 ? bytes : Uint8Array.from(bytes);
  const { buffer, byteOffset, byteLength } = aligned;
  switch (type) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case 'int32':
      return new Int32Array(buffer, byteOffset, byteLength / 4);
    case 'int64':
      return new BigInt64Array(buffer, byteOffset, byteLength / 8);
    default:
      return new Uint8Array(buffer, byteOffset, byteLength);
  }
}

/** The bytes behind values, not copied. */
export const bytesBehind = (values: Numbers): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** Bytes in a buffer of their own, so that it can be transferred. Never a view of Node's shared pool. */
export const ownBytes = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);
