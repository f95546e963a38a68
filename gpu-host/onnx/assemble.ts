import type { Feed } from '../pre/input.ts';
import { numbersOf, type Numbers, type TensorType } from '../tensors.ts';

/** A batch of one input tensor. */
export interface BatchTensor {
  readonly name: string;
  readonly type: TensorType;
  /** The batch in front. */
  readonly dims: readonly number[];
  readonly data: Numbers;
}

/**
 * Which inputs run together: indices of inputs whose tensors have equal dims, in the order of their first. With `padding` widths of
 * ragged ones don't count: narrow ones are filled up. Mostly one group.
 */
export function groups(inputs: readonly (readonly Feed[])[], { padding }: { readonly padding: boolean }): number[][] {
  const byDims = new Map<string, number[]>();
  inputs.forEach((feeds, index) => {
    const key = feeds
      .map(({ dims, ragged }) => (ragged && padding ? withoutWidth(dims, ragged.layout) : dims).join('×'))
      .join(' ');
    byDims.set(key, [...(byDims.get(key) ?? []), index]);
  });
  return [...byDims.values()];
}

const widthAxis = (layout: 'nchw' | 'nhwc'): number => (layout === 'nchw' ? 2 : 1);
const withoutWidth = (dims: readonly number[], layout: 'nchw' | 'nhwc'): number[] =>
  dims.filter((_, axis) => axis !== widthAxis(layout));

/** Joins the same tensor of several inputs along a new first dimension. One input is not copied. */
export function joinFeeds(feeds: readonly Feed[]): BatchTensor {
  const { name, type, dims, ragged } = feeds[0]!;
  const widest = ragged ? Math.max(...feeds.map(feed => feed.dims[widthAxis(ragged.layout)]!)) : 0;
  if (feeds.length === 1) return { name, type, dims: [1, ...dims], data: numbersOf(type, feeds[0]!.data) };
  const shape = ragged ? dims.map((dim, axis) => (axis === widthAxis(ragged.layout) ? widest : dim)) : dims;
  const parts = feeds.map(feed => numbersOf(type, feed.data));
  const each = shape.reduce((size, dim) => size * dim, 1);
  const data = new (parts[0]!.constructor as Float32ArrayConstructor)(each * feeds.length);
  parts.forEach((part, index) => {
    const room = data.subarray(index * each, (index + 1) * each);
    const { ragged: own, dims: partDims } = feeds[index]!;
    if (own && partDims[widthAxis(own.layout)] !== widest)
      widen(part as Float32Array, room, { dims: partDims, widest, layout: own.layout, fill: own.fill });
    else room.set(part as Float32Array);
  });
  return { name, type, dims: [feeds.length, ...shape], data };
}

interface Widening {
  readonly dims: readonly number[];
  readonly widest: number;
  readonly layout: 'nchw' | 'nhwc';
  readonly fill: readonly number[];
}

/** Copies rows of a narrow picture into wider ones and fills up what is left of each. */
function widen(part: Float32Array, room: Float32Array, { dims, widest, layout, fill }: Widening): void {
  const channels = layout === 'nchw' ? 1 : dims[2]!; // values that lie together at one place of a row
  const width = dims[widthAxis(layout)]! * channels;
  const wide = widest * channels;
  const rows = part.length / width;
  const rowsPerPlane = layout === 'nchw' ? dims[1]! : rows;
  for (let row = 0; row < rows; row++) {
    room.set(part.subarray(row * width, (row + 1) * width), row * wide);
    if (layout === 'nchw') room.fill(fill[Math.floor(row / rowsPerPlane)]!, row * wide + width, (row + 1) * wide);
    else for (let at = width; at < wide; at++) room[row * wide + at] = fill[at % channels]!;
  }
}
