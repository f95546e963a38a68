import type { SamplerPorts } from './actor.ts';
import { THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH } from './change.ts';
import type { Pixels } from './pixels.ts';
import { makePlaceholderPainter, sourceOpener } from './sources/index.ts';
import { hash32 } from './sharing.ts';

/** Pixel work without pixels: thumbnails are flat, of a gray that follows from the bytes; nothing is recompressed. */
export const placeholderPixels: Pixels = {
  encodeJpeg: async picture => picture.data,
  thumbnail: async picture => {
    const gray = hash32(String.fromCharCode(...picture.data.subarray(0, 512))) & 0xff;
    return new Uint8Array(THUMBNAIL_WIDTH * THUMBNAIL_HEIGHT).fill(gray);
  },
};

/** Ports for the deterministic simulation: synthetic streams give placeholder pictures of about `bytes`, at once. */
export const simulatedPorts = (options: { bytes?: number } = {}): SamplerPorts => ({
  pixels: placeholderPixels,
  openSource: sourceOpener(makePlaceholderPainter(options.bytes)),
});
