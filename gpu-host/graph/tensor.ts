import { create } from '@bufbuild/protobuf';
import { TensorProto_DataLocation, TensorProto_DataType, TensorProtoSchema, type TensorProto } from 'onnx-buf';
import { GraphError } from './error.ts';

/** Element types as the numbers that files have: some are none of these. */
export const T: Readonly<Record<keyof typeof TensorProto_DataType, number>> = TensorProto_DataType;

/** Bits of one element; strings have no size. */
const BITS: Readonly<Record<number, number>> = {
  [T.FLOAT]: 32,
  [T.UINT8]: 8,
  [T.INT8]: 8,
  [T.UINT16]: 16,
  [T.INT16]: 16,
  [T.INT32]: 32,
  [T.INT64]: 64,
  [T.BOOL]: 8,
  [T.FLOAT16]: 16,
  [T.DOUBLE]: 64,
  [T.UINT32]: 32,
  [T.UINT64]: 64,
  [T.COMPLEX64]: 64,
  [T.COMPLEX128]: 128,
  [T.BFLOAT16]: 16,
  [T.FLOAT8E4M3FN]: 8,
  [T.FLOAT8E4M3FNUZ]: 8,
  [T.FLOAT8E5M2]: 8,
  [T.FLOAT8E5M2FNUZ]: 8,
  [T.UINT4]: 4,
  [T.INT4]: 4,
  [T.FLOAT4E2M1]: 4,
  [T.FLOAT8E8M0]: 8,
  [T.UINT2]: 2,
  [T.INT2]: 2,
};

/** Bytes of `count` elements, packed as in raw_data; undefined for strings and unknown types. */
export function bytesOfElements(type: number, count: number): number | undefined {
  const bits = BITS[type];
  return bits === undefined ? undefined : Math.ceil((bits * count) / 8);
}

export const elementsOf = (tensor: TensorProto): number =>
  tensor.dims.reduce((product, dim) => product * Number(dim), 1);

/** `float32` of onnx's FLOAT; for people. */
export const typeName = (type: number): string =>
  type === T.FLOAT ? 'float32' : (TensorProto_DataType[type]?.toLowerCase() ?? `type ${type}`);

/** Contents of side files, by tensor. */
export type External = ReadonlyMap<TensorProto, Uint8Array>;

/**
 * A tensor's elements as raw_data has them: little-endian, packed. A view on the file where it can be, else made from
 * the typed fields (float_data, int32_data, …). Strings: each with its length (4 bytes) in front.
 */
export function rawBytes(tensor: TensorProto, external: External): Uint8Array {
  const side = external.get(tensor);
  if (side) return side;
  if (tensor.rawData.length > 0) return tensor.rawData;
  switch (tensor.dataType) {
    case T.FLOAT:
    case T.COMPLEX64:
      return bytesBehind(Float32Array.from(tensor.floatData));
    case T.DOUBLE:
    case T.COMPLEX128:
      return bytesBehind(Float64Array.from(tensor.doubleData));
    case T.INT64:
      return bytesBehind(BigInt64Array.from(tensor.int64Data));
    case T.UINT64:
      return bytesBehind(BigUint64Array.from(tensor.uint64Data));
    case T.UINT32:
      return bytesBehind(Uint32Array.from(tensor.uint64Data, Number));
    case T.INT32:
      return bytesBehind(Int32Array.from(tensor.int32Data));
    case T.UINT16:
    case T.INT16:
    case T.FLOAT16:
    case T.BFLOAT16:
      return bytesBehind(Uint16Array.from(tensor.int32Data));
    case T.STRING:
      return Buffer.concat(tensor.stringData.flatMap(text => [bytesBehind(Uint32Array.of(text.length)), text]));
    default:
      return Uint8Array.from(tensor.int32Data);
  }
}

const bytesBehind = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);

/** How many values the typed field of a tensor holds, in bytes as raw_data would have them. */
function typedBytes(tensor: TensorProto): number {
  const { dataType: type } = tensor;
  if (type === T.FLOAT || type === T.COMPLEX64) return tensor.floatData.length * 4;
  if (type === T.DOUBLE || type === T.COMPLEX128) return tensor.doubleData.length * 8;
  if (type === T.INT64) return tensor.int64Data.length * 8;
  if (type === T.UINT64) return tensor.uint64Data.length * 8;
  if (type === T.UINT32) return tensor.uint64Data.length * 4;
  // Types below a byte are packed in int32_data byte by byte.
  return tensor.int32Data.length * Math.ceil((BITS[type] ?? 8) / 8);
}

/** Checks that a tensor has as many bytes as its type and dims ask for. `side` is what its side file holds. @throws GraphError */
export function checkTensor(model: string, where: string, tensor: TensorProto, side: Uint8Array | undefined): void {
  const refuse = (detail: string): never => {
    throw new GraphError(model, where, detail);
  };
  if (tensor.dims.some(dim => dim < 0n)) refuse(`dims [${tensor.dims.join(',')}] have a negative size`);
  const count = elementsOf(tensor);
  if (!Number.isSafeInteger(count)) refuse(`dims [${tensor.dims.join(',')}] are more than any file holds`);
  if (tensor.segment) refuse('is cut in segments, which no runtime reads');
  if (tensor.dataType === T.STRING) {
    if (tensor.stringData.length !== count)
      refuse(`has ${tensor.stringData.length} strings, its dims ask for ${count}`);
    return;
  }
  const wanted = bytesOfElements(tensor.dataType, count);
  if (wanted === undefined) return refuse(`has the unknown element type ${tensor.dataType}`);
  const got = side?.length ?? (tensor.rawData.length || typedBytes(tensor));
  if (got !== wanted)
    refuse(`has ${got} bytes, ${typeName(tensor.dataType)} [${tensor.dims.join(',')}] asks for ${wanted}`);
}

export const isExternal = (tensor: TensorProto): boolean => tensor.dataLocation === TensorProto_DataLocation.EXTERNAL;

/** A tensor with its elements as raw_data, which is a view; strings as they are. */
export function rawTensor(tensor: TensorProto, name: string, external: External): TensorProto {
  const { dims, dataType } = tensor;
  return dataType === T.STRING
    ? create(TensorProtoSchema, { name, dims, dataType, stringData: tensor.stringData })
    : create(TensorProtoSchema, {
        name,
        dims,
        dataType,
        rawData: rawBytes(tensor, external) as Uint8Array<ArrayBuffer>,
      });
}

export const tensorOf = (
  name: string,
  dataType: number,
  dims: readonly number[],
  values: ArrayBufferView,
): TensorProto =>
  create(TensorProtoSchema, {
    name,
    dataType,
    dims: dims.map(BigInt),
    rawData: bytesBehind(values) as Uint8Array<ArrayBuffer>,
  });

/** The numbers of a small tensor (shapes, axes, pads, scales); undefined for others. */
export function numbersOfTensor(tensor: TensorProto, external: External): number[] | undefined {
  if (elementsOf(tensor) > 64) return undefined;
  const raw = Uint8Array.from(rawBytes(tensor, external));
  if (tensor.dataType === T.INT64) return Array.from(new BigInt64Array(raw.buffer), Number);
  if (tensor.dataType === T.INT32) return Array.from(new Int32Array(raw.buffer));
  if (tensor.dataType === T.FLOAT) return Array.from(new Float32Array(raw.buffer));
  return undefined;
}
