import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { escapeXml } from '../drawing/index.ts';

/** Draws text as SVG; `width` in pixels at that size. */
export interface TextPainter {
  width(text: string, size: number): number;
  /** With its baseline at x, y. */
  svg(text: string, x: number, y: number, size: number, fill: string): string;
}

interface Glyph {
  readonly advanceWidth: number;
  getPath(x: number, y: number, size: number): { toPathData(decimals: number): string };
}

interface Font {
  readonly unitsPerEm: number;
  charToGlyph(char: string): Glyph;
}

/** Glyphs of DejaVu as paths, where the packages are at hand: a machine without fonts draws text too. */
async function bundledFont(): Promise<Font | undefined> {
  try {
    const require = createRequire(import.meta.url);
    const { default: opentype } = (await import('opentype.js')) as unknown as {
      default: { parse(data: ArrayBuffer): Font };
    };
    const file = await readFile(require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf'));
    return opentype.parse(new Uint8Array(file).buffer);
  } catch {
    return undefined;
  }
}

/** The bundled font, else whatever sans-serif font the machine has (its widths are then estimated). */
export async function textPainter(): Promise<TextPainter> {
  const font = await bundledFont();
  if (font) {
    // Glyph by glyph: opentype.js can't shape whole texts with this font's tables.
    const advance = (char: string, size: number): number =>
      (font.charToGlyph(char).advanceWidth * size) / font.unitsPerEm;
    const width = (text: string, size: number): number =>
      Array.from(text).reduce((sum, char) => sum + advance(char, size), 0);
    return {
      width,
      svg: (text, x, y, size, fill) => {
        const chars = Array.from(text);
        const path = chars.map((char, i) =>
          font
            .charToGlyph(char)
            .getPath(x + width(chars.slice(0, i).join(''), size), y, size)
            .toPathData(1),
        );
        return `<path d="${path.join('')}" fill="${fill}"/>`;
      },
    };
  }
  return {
    width: (text, size) => text.length * size * 0.62,
    svg: (text, x, y, size, fill) =>
      `<text x="${x}" y="${y}" font-family="sans-serif" font-weight="bold" font-size="${size}" fill="${fill}">${escapeXml(text)}</text>`,
  };
}
