import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { ConfigError } from '../../../../contracts/index.ts';
import { ADVANCES } from './layout.ts';

/** Coverage 0..255 of one glyph; its upper left corner stands `left` right of the pen and `top` above the line. */
interface GlyphBitmap {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
  readonly advancePx: number;
  readonly coverage: Uint8Array;
}
export type GlyphSet = ReadonlyMap<string, GlyphBitmap>;

interface Outline {
  readonly pathData: string;
  readonly advance: number;
}
const OUTLINE_EM = 1000;
const SIZES_MAX = 16;

let outlines: Promise<Map<string, Outline>> | undefined;
const rasterised = new Map<number, Promise<GlyphSet>>();

/**
 * Capitals, digits and the colon of DejaVu Sans Bold at `fontPx`, rasterised once per size and process.
 * @throws ConfigError when the packages that hold the font aren't installed
 */
export function glyphsOf(fontPx: number): Promise<GlyphSet> {
  const known = rasterised.get(fontPx);
  if (known) return known;
  const made = rasterise(fontPx);
  if (rasterised.size >= SIZES_MAX) rasterised.delete(rasterised.keys().next().value!);
  rasterised.set(fontPx, made);
  made.catch(() => rasterised.delete(fontPx));
  return made;
}

/** Glyphs stand in a row on one sheet, so that one pass of the SVG renderer does for all of them. */
async function rasterise(fontPx: number): Promise<GlyphSet> {
  outlines ??= readOutlines();
  const glyphs = await outlines.catch((error: unknown) => {
    outlines = undefined;
    throw error;
  });
  const { default: sharp } = await import('sharp');
  const scale = fontPx / OUTLINE_EM;
  const margin = 2;
  const height = Math.ceil(fontPx * 1.2);
  const top = Math.ceil(fontPx * 0.95);
  const cells: { char: string; x: number; width: number; advancePx: number }[] = [];
  const paths: string[] = [];
  let sheetWidth = 0;
  for (const [char, outline] of glyphs) {
    const advancePx = outline.advance * scale;
    const width = Math.ceil(advancePx) + 2 * margin;
    cells.push({ char, x: sheetWidth, width, advancePx });
    paths.push(`<path transform="translate(${sheetWidth + margin} ${top}) scale(${scale})" d="${outline.pathData}"/>`);
    sheetWidth += width;
  }
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${sheetWidth}" height="${height}" fill="#fff">${paths.join('')}</svg>`;
  const sheet = await sharp(Buffer.from(svg)).ensureAlpha().extractChannel(3).raw().toBuffer();
  return new Map(
    cells.map(({ char, x, width, advancePx }) => {
      const coverage = new Uint8Array(width * height);
      for (let row = 0; row < height; row++) {
        coverage.set(sheet.subarray(row * sheetWidth + x, row * sheetWidth + x + width), row * width);
      }
      return [char, { width, height, left: -margin, top, advancePx, coverage }];
    }),
  );
}

async function readOutlines(): Promise<Map<string, Outline>> {
  try {
    const opentype = (await import('opentype.js')).default;
    const file = createRequire(import.meta.url).resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf');
    const bytes = await readFile(file);
    const font = opentype.parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    return new Map(
      Object.keys(ADVANCES).map(char => {
        const glyph = font.charToGlyph(char);
        const advance = ((glyph.advanceWidth ?? 0) / font.unitsPerEm) * OUTLINE_EM;
        return [char, { pathData: glyph.getPath(0, 0, OUTLINE_EM).toPathData(2), advance }];
      }),
    );
  } catch (error) {
    throw new ConfigError(
      'the synthetic source draws its texts with a font that is not installed here',
      { field: 'source.kind', remedy: 'install it: npm install opentype.js@1 dejavu-fonts-ttf' },
      { cause: error },
    );
  }
}
