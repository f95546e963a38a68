import type { Payload, Picture, Tensor } from '../../contracts/index.ts';

/**
 * What the router keeps of a payload: the fields it knows, and bytes that don't pin a packet many times their size (small
 * messages are views on a chunk of the socket).
 */
export function keep(payload: Payload): Payload {
  if (payload.encoding !== 'tensors') return keepPicture(payload);
  const tensors: Record<string, Tensor> = {};
  for (const name in payload.tensors) {
    const { type, dims, data } = payload.tensors[name]!;
    tensors[name] = { type, dims, data: own(data) };
  }
  return { encoding: 'tensors', tensors };
}

export function keepPicture({ encoding, width, height, data }: Picture): Picture {
  const kept: Picture = { encoding, data: own(data) };
  if (width !== undefined) kept.width = width;
  if (height !== undefined) kept.height = height;
  return kept;
}

const own = (data: Uint8Array): Uint8Array =>
  data.byteLength * 2 < data.buffer.byteLength ? new Uint8Array(data) : data;

/** What is wrong with a payload that fits its schema; undefined when nothing is. */
export function misfit(payload: Payload): string | undefined {
  if (payload.encoding === 'tensors') return undefined;
  const { encoding, width, height, data } = payload;
  if (data.byteLength === 0) return 'the picture is empty';
  if (encoding !== 'rgb') return undefined;
  if (!width || !height) return 'a picture of encoding rgb needs width and height';
  if (data.byteLength !== width * height * 3)
    return `an rgb picture of ${width}×${height} has ${width * height * 3} bytes, got ${data.byteLength}`;
  return undefined;
}
