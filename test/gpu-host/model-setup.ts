import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
// oxlint-disable-next-line import/default -- its ES module has one, only its types don't say so
import opentype from 'opentype.js';
import sharp from 'sharp';
import { parse } from 'yaml';
import { realClock, systemRandom } from '../../bus/clocks/index.ts';
import { silentLog, type ModelDocument, type Picture } from '../../contracts/index.ts';
import {
  modelFilesFromDisk,
  openDevice,
  type Device,
  type LoadedModel,
  type ModelFiles,
} from '../../gpu-host/index.ts';

export const MODELS = resolve('examples/models');

export const manifest = (name: string): ModelDocument =>
  parse(readFileSync(join(MODELS, `${name}.yaml`), 'utf8')) as ModelDocument;

export const onDisk = (document: ModelDocument): Promise<ModelFiles> => modelFilesFromDisk(document, MODELS);

/** A model whose files are given, under a made-up id. */
export const inMemory = (document: ModelDocument, files: Record<string, Uint8Array | string>): ModelFiles => ({
  id: `${document.name}@0123456789ab`,
  document,
  read: async name => {
    const content = files[name];
    if (content === undefined) throw new Error(`the test gives no file ${name}`);
    return typeof content === 'string' ? Buffer.from(content) : content;
  },
});

/** An onnx device on the CPU; the test closes it. */
export const openCpu = (providers?: string[]): Promise<Device> =>
  openDevice(
    { kind: 'onnx', ...(providers ? { providers } : {}) },
    { clock: realClock, random: systemRandom, log: silentLog },
  );

export async function loadExample(device: Device, name: string): Promise<LoadedModel> {
  const document = manifest(name);
  return device.load(await onDisk(document), { batchMax: document.batchMax });
}

const font = (() => {
  const bytes = readFileSync('node_modules/dejavu-fonts-ttf/ttf/DejaVuSans.ttf');
  return opentype.parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
})();

/** Glyph by glyph: the library can't apply this font's table of ligatures. */
function outlines(text: string, size: number): string {
  let x = 0;
  let svg = '';
  for (const character of text) {
    const glyph = font.charToGlyph(character);
    svg += glyph.getPath(x, 0, size).toSVG(2);
    x += ((glyph.advanceWidth ?? 0) * size) / font.unitsPerEm;
  }
  return svg;
}

export interface Line {
  readonly text: string;
  /** Left end of the baseline. */
  readonly x: number;
  readonly y: number;
  readonly size: number;
  /** Degrees, clockwise, around that end. */
  readonly turn?: number;
}

/** Black text on white, drawn from a font file: machines without fonts draw the same. */
export async function textPicture(width: number, height: number, lines: readonly Line[]): Promise<Picture> {
  const paths = lines.map(({ text, x, y, size, turn = 0 }) => {
    const path = outlines(text, size);
    return `<g transform="translate(${x} ${y}) rotate(${turn})">${path}</g>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="#fff"/>${paths.join('')}</svg>`;
  const data = await sharp(Buffer.from(svg)).jpeg({ quality: 92 }).toBuffer();
  return { encoding: 'jpeg', width, height, data: new Uint8Array(data) };
}
