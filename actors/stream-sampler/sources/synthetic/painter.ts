import { seededRandom, type Source } from '../../../../contracts/index.ts';
import { glyphsOf } from './glyphs.ts';
import { layoutOf } from './layout.ts';
import { render } from './render.ts';
import { makeScene } from './scene.ts';
import { fieldsOf, truthAt, type Truth } from './truth.ts';
import type { Pixels } from '../../pixels.ts';

export type SyntheticSource = Extract<Source, { kind: 'synthetic' }>;

const seedOf = (source: SyntheticSource): number => source.seed ?? 1;
const noiseOf = (source: SyntheticSource): number => source.noise ?? 0.02;
const motionOf = (source: SyntheticSource): number => source.motion ?? 1;

/** What the broadcast of a source shows at a stream time. */
export const truthOf = (source: SyntheticSource, timeMs: number): Truth =>
  truthAt(seedOf(source), timeMs, { width: source.width, height: source.height, motion: motionOf(source) });

/** Makes JPEGs of a broadcast, one at a time. */
interface Painter {
  paint(truth: Truth): Promise<Uint8Array>;
}
/** @throws ConfigError when the font isn't installed */
export type MakePainter = (source: SyntheticSource, quality: number, pixels: Pixels) => Promise<Painter>;

/** Draws real pictures and compresses them. */
export const makePainter: MakePainter = async (source, quality, pixels) => {
  const seed = seedOf(source);
  const blank = truthOf(source, 0);
  const { width, height } = blank;
  const glyphs = await glyphsOf(layoutOf(blank).texts[0]!.fontPx);
  const scene = makeScene({ seed, width, height, noise: noiseOf(source) });
  const pixelsOut = new Uint8Array(width * height * 3);
  return {
    paint: async truth => {
      render(pixelsOut, scene, glyphs, truth, { seed, motion: motionOf(source) });
      return pixels.encodeJpeg({ encoding: 'rgb', width, height, data: pixelsOut }, { quality });
    },
  };
};

/**
 * For simulations under virtual time: no pixels, no native code. A JPEG of one comment that holds the texts, padded to
 * `bytes` (± 10 % with the time, as real ones vary).
 */
export const makePlaceholderPainter =
  (bytes = 30_000): MakePainter =>
  async source => ({
    paint: async truth => {
      const texts = Object.fromEntries(fieldsOf(truth).map(field => [field.name, field.text]));
      const text = new TextEncoder().encode(JSON.stringify(texts));
      const vary = 0.9 + 0.2 * seededRandom(Math.floor(truth.timeMs) ^ seedOf(source)).next();
      const jpeg = new Uint8Array(Math.max(text.length + 8, Math.round(bytes * vary)));
      const commentBytes = Math.min(0xffff, text.length + 2);
      jpeg.set([0xff, 0xd8, 0xff, 0xfe, commentBytes >> 8, commentBytes & 0xff]);
      jpeg.set(text, 6);
      jpeg.set([0xff, 0xd9], jpeg.length - 2);
      return jpeg;
    },
  });
