import sharp from 'sharp';
import type { Box, Picture, Result } from '../../contracts/index.ts';
import { labelledBoxes } from './labels.ts';
import { textPainter, type TextPainter } from './text.ts';

const COLORS = ['#00e5a8', '#ffb000', '#4db8ff', '#ff5ca8', '#c3f53c'];

/**
 * The picture with the boxes and words of a result drawn on it.
 * @returns a PNG of the same size
 * @throws Error when the picture can't be decoded
 */
export async function annotate(picture: Picture, result: Result): Promise<Uint8Array> {
  const image =
    picture.encoding === 'rgb'
      ? sharp(picture.data, { raw: { width: picture.width ?? 0, height: picture.height ?? 0, channels: 3 } })
      : sharp(picture.data);
  const { data, info } = await image.png().toBuffer({ resolveWithObject: true });
  const overlay = await overlaySvg(result, info.width, info.height);
  const png = await sharp(data)
    .composite([{ input: Buffer.from(overlay), left: 0, top: 0 }])
    .png()
    .toBuffer();
  return new Uint8Array(png);
}

/** A picture file of any format that sharp reads, as PNG. @throws Error when it is none */
export const toPng = async (data: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await sharp(data).png().toBuffer());

/** What is drawn over a picture of that size, as SVG. */
export async function overlaySvg(result: Result, width: number, height: number): Promise<string> {
  const text = await textPainter();
  const size = Math.max(11, Math.round(Math.min(width, height) / 26));
  const line = Math.max(1.5, size / 8);
  const { boxes, whole } = labelledBoxes(result);
  const parts = boxes.flatMap(({ box, text: words }, i) => {
    const color = COLORS[i % COLORS.length]!;
    const outline = `<polygon points="${corners(box)}" fill="none" stroke="${color}" stroke-width="${line}"/>`;
    const points = (box.points ?? []).flatMap((x, at, all) =>
      at % 2 === 0 ? [`<circle cx="${x}" cy="${all[at + 1] ?? 0}" r="${line * 1.5}" fill="${color}"/>`] : [],
    );
    if (words === '') return [outline, ...points];
    const above = box.y - size * 0.35 - line > size;
    const y = above ? box.y - size * 0.35 - line : Math.min(height - 4, box.y + box.height + size * 1.1 + line);
    return [outline, ...points, tag(text, words, box.x, y, size, color, width)];
  });
  const caption = [`${result.query}: ${result.outcome}`, ...whole].join(' · ');
  parts.push(tag(text, caption, size / 2, height - size / 2, size, '#ffffff', width));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${parts.join('')}</svg>`;
}

const corners = ({ x, y, width, height, quad }: Box): string =>
  (quad ?? [x, y, x + width, y, x + width, y + height, x, y + height]).map(value => value.toFixed(1)).join(' ');

/** Words on a dark ground, kept inside the picture. */
function tag(
  text: TextPainter,
  words: string,
  x: number,
  y: number,
  size: number,
  color: string,
  widthMax: number,
): string {
  const wide = text.width(words, size);
  const left = Math.max(2, Math.min(x, widthMax - wide - 4));
  const place = `x="${(left - 2).toFixed(1)}" y="${(y - size).toFixed(1)}"`;
  const extent = `width="${(wide + 4).toFixed(1)}" height="${(size * 1.25).toFixed(1)}"`;
  const ground = `<rect ${place} ${extent} fill="#000000" fill-opacity="0.7"/>`;
  return ground + text.svg(words, left, y, size, color);
}
