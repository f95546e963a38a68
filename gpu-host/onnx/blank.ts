import { ModelError, type ModelDocument, type Payload, type Tensor } from '../../contracts/index.ts';
import { encodeJpeg } from '../imaging.ts';
import { bytesOf, sizeOfDims } from '../tensors.ts';
import type { Graph } from './graph.ts';

/** A dimension that may vary gets this size in a blank tensor. */
const DIMENSION = 16;

/**
 * A payload like those to come, to warm up and measure with: for a picture model a JPEG of its input's (usual) size with some
 * texture, else tensors of zeros.
 * @throws ModelError when only the user's module knows what a payload looks like
 */
export async function blankPayload(id: string, document: ModelDocument, graph: Graph): Promise<Payload> {
  const { preprocess } = document;
  if (preprocess.kind === 'picture') {
    const { width, height, widthUsual = width } = preprocess;
    return texture(Math.min(width, widthUsual), height);
  }
  if (preprocess.kind === 'module') return texture(640, 360);
  const tensors: Record<string, Tensor> = {};
  for (const { name, type, dims } of graph.inputs) {
    if (dims.length === 0) throw new ModelError(id, `input "${name}" doesn't tell its shape: it can't be warmed up`);
    const own = dims.slice(1).map(dim => (typeof dim === 'number' ? dim : DIMENSION));
    tensors[name] = { type, dims: own, data: new Uint8Array(sizeOfDims(own) * bytesOf(type)) };
  }
  return { encoding: 'tensors', tensors };
}

/** Gradients with a grid of edges: neither the cheapest nor the dearest picture to decode. */
function texture(width: number, height: number): Promise<Payload> {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at += 3) {
      const edge = x % 24 < 3 || y % 16 < 2 ? 90 : 0;
      data[at] = (x * 255) / width;
      data[at + 1] = (y * 255) / height;
      data[at + 2] = 120 + edge;
    }
  return encodeJpeg({ width, height, data }, 85);
}
