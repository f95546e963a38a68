import { Bytes, Count, OneOf, Type, type Static } from '../schema.ts';

export const PICTURE_BYTES_MAX = 8 * 1024 * 1024;
export const PICTURE_SIDE_MAX = 16_384;

/** A picture. `rgb` is uint8, row by row, [height, width, 3], no padding; the others are files of that format. */
export const Picture = Type.Object({
  encoding: OneOf(['jpeg', 'png', 'webp', 'rgb'] as const, 'rgb: uint8 [height, width, 3]'),
  width: Type.Optional(Count('pixels; required for rgb', PICTURE_SIDE_MAX)),
  height: Type.Optional(Count('pixels; required for rgb', PICTURE_SIDE_MAX)),
  data: Bytes({ maxLength: PICTURE_BYTES_MAX }),
});
export type Picture = Static<typeof Picture>;

export const TENSOR_TYPES = ['float32', 'uint8', 'int32', 'int64', 'bool'] as const;

/** A tensor: little-endian values in row-major order. */
export const Tensor = Type.Object({
  type: OneOf(TENSOR_TYPES),
  dims: Type.Array(Count('size of a dimension', 2 ** 31), { maxItems: 8 }),
  data: Bytes({ maxLength: PICTURE_BYTES_MAX }),
});
export type Tensor = Static<typeof Tensor>;

/** What one invocation of a model takes: a picture, or tensors by input name. */
export const Payload = Type.Union([
  Picture,
  Type.Object({ encoding: Type.Literal('tensors'), tensors: Type.Record(Type.String(), Tensor) }),
]);
export type Payload = Static<typeof Payload>;

/** In pixels of the frame that the query was asked about; x, y is the upper left corner. */
export const Box = Type.Object({
  x: Type.Number(),
  y: Type.Number(),
  width: Type.Number({ minimum: 0 }),
  height: Type.Number({ minimum: 0 }),
  score: Type.Number({ description: '0..1' }),
  label: Type.Optional(Type.String()),
  quad: Type.Optional(
    Type.Array(Type.Number(), {
      minItems: 8,
      maxItems: 8,
      description: 'corners x0 y0 … x3 y3, clockwise from the upper left of the upright text',
    }),
  ),
  points: Type.Optional(Type.Array(Type.Number(), { maxItems: 512, description: 'landmarks, x0 y0 x1 y1 …' })),
});
export type Box = Static<typeof Box>;

/** A model's answer for one input, after postprocessing. */
export const Output = Type.Union([
  Type.Object({
    kind: Type.Literal('classes'),
    classes: Type.Array(
      Type.Object({ index: Count('class'), label: Type.Optional(Type.String()), score: Type.Number() }),
    ),
  }),
  Type.Object({ kind: Type.Literal('boxes'), boxes: Type.Array(Box) }),
  Type.Object({
    kind: Type.Literal('text'),
    text: Type.String(),
    score: Type.Number({ description: 'mean probability of the characters, 0..1' }),
  }),
  Type.Object({ kind: Type.Literal('tensors'), tensors: Type.Record(Type.String(), Tensor) }),
  Type.Object({
    kind: Type.Literal('custom'),
    value: Type.Unknown({ description: 'whatever the user module returned; plain data' }),
  }),
]);
export type Output = Static<typeof Output>;

/** The format of a file by its first bytes, or undefined. */
export function sniffPicture(data: Uint8Array): 'jpeg' | 'png' | 'webp' | undefined {
  if (data[0] === 0xff && data[1] === 0xd8 && data[2] === 0xff) return 'jpeg';
  if (data[0] === 0x89 && data[1] === 0x50 && data[2] === 0x4e && data[3] === 0x47) return 'png';
  if (data[0] === 0x52 && data[1] === 0x49 && data[2] === 0x46 && data[3] === 0x46 && data[8] === 0x57) return 'webp';
  return undefined;
}
