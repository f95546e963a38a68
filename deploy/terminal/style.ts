import { stripVTControlCharacters } from 'node:util';

/** Wraps text in a colour, or leaves it alone where there are none. */
export type Paint = (text: string) => string;
export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly blue: Paint;
  readonly magenta: Paint;
  readonly cyan: Paint;
}

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;
const MORE = { blue: [34, 39], magenta: [35, 39], cyan: [36, 39] } as const;

const paintWith = (codes: Record<string, readonly [number, number]>, color: boolean): Style =>
  Object.fromEntries(
    Object.entries(codes).map(([name, [on, off]]) => [
      name,
      (text: string) => (color && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text),
    ]),
  ) as unknown as Style;

const coloured = paintWith({ ...CODES, ...MORE }, true);
const plain = paintWith({ ...CODES, ...MORE }, false);
export const styleFor = (color: boolean): Style => (color ? coloured : plain);

/** Columns that a text takes, colours not counted; East Asian wide characters take two. */
export function visibleWidth(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) width += isWide(character.codePointAt(0)!) ? 2 : 1;
  return width;
}

const isWide = (code: number): boolean =>
  (code >= 0x1100 && code <= 0x115f) ||
  (code >= 0x2e80 && code <= 0xa4cf) ||
  (code >= 0xac00 && code <= 0xd7a3) ||
  (code >= 0xf900 && code <= 0xfaff) ||
  (code >= 0xfe30 && code <= 0xfe6f) ||
  (code >= 0xff00 && code <= 0xff60) ||
  (code >= 0x1f300 && code <= 0x1faff);

const ESCAPE = '\u001b[';

/** Cuts a text to `width` columns, with `…` where something is missing; colours are kept and closed. */
export function cut(text: string, width: number): string {
  if (visibleWidth(text) <= width) return text;
  let out = '';
  let used = 0;
  let coloured = false;
  for (let i = 0; i < text.length; ) {
    if (text.startsWith(ESCAPE, i)) {
      const end = text.indexOf('m', i);
      if (end < 0) break;
      out += text.slice(i, end + 1);
      coloured = true;
      i = end + 1;
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(i)!);
    const columns = visibleWidth(character);
    if (used + columns > width - 1) break;
    out += character;
    used += columns;
    i += character.length;
  }
  return `${out}${width > 0 ? '…' : ''}${coloured ? `${ESCAPE}0m` : ''}`;
}

export const padEnd = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - visibleWidth(text)));
export const padStart = (text: string, width: number): string =>
  ' '.repeat(Math.max(0, width - visibleWidth(text))) + text;
