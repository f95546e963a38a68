import type { Field, Truth } from './truth.ts';

/** A filled rectangle in pixels, colour 0..255. */
export interface Panel {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly rgb: readonly [number, number, number];
}

/** A text to draw: its pen starts at (x, baselineY), glyphs are `fontPx` to the em. */
export interface PlacedText extends Field {
  readonly x: number;
  readonly baselineY: number;
  readonly fontPx: number;
  readonly rgb: readonly [number, number, number];
}

/** Advance widths of DejaVu Sans Bold, units of 1/2048 em (from its hmtx table; a test compares them with the font). */
// biome-ignore format: a table
export const ADVANCES: Readonly<Record<string, number>> = {
  0: 1425, 1: 1425, 2: 1425, 3: 1425, 4: 1425, 5: 1425, 6: 1425, 7: 1425, 8: 1425, 9: 1425, A: 1585, B: 1561, C: 1503,
  D: 1700, E: 1399, F: 1399, G: 1681, H: 1714, I: 762, J: 762, K: 1587, L: 1305, M: 2038, N: 1714, O: 1741, P: 1501,
  Q: 1741, R: 1577, S: 1475, T: 1397, U: 1663, V: 1585, W: 2259, X: 1579, Y: 1483, Z: 1485, ':': 819,
};
const EM_UNITS = 2048;
/** Height of a capital, of the em. */
const CAP_HEIGHT = 1493 / EM_UNITS;
/** Round letters reach so far beyond the line, of the em. */
const OVERSHOOT = 29 / EM_UNITS;

const NAVY = [18, 28, 62] as const;
const WHITE = [248, 248, 248] as const;
const YELLOW = [250, 214, 40] as const;
const BLACK = [12, 12, 14] as const;

const textWidth = (text: string, fontPx: number): number =>
  (text.split('').reduce((sum, char) => sum + (ADVANCES[char] ?? 0), 0) / EM_UNITS) * fontPx;

/**
 * The scoreboard along the top (home, score, clock, score, away) and the lower third with a player's name. Designed on
 * 640×360 and scaled; capitals are 22 px high there, and no two texts are nearer than 24 px, so that a text detector
 * sees them apart.
 */
export function layoutOf(truth: Truth): { panels: Panel[]; texts: PlacedText[] } {
  const scale = Math.min(truth.width / 640, truth.height / 360);
  const fontPx = Math.round(30 * scale);
  const capPx = CAP_HEIGHT * fontPx;
  const overPx = Math.ceil(OVERSHOOT * fontPx);
  const left = (truth.width - 640 * scale) / 2;
  const x = (units: number): number => Math.round(left + (units + truth.driftX) * scale);
  const y = (units: number): number => Math.round((units + truth.driftY) * scale);
  const size = (units: number): number => Math.round(units * scale);
  const lowerY = (units: number): number => Math.round(truth.height - (360 - units - truth.driftY) * scale);

  const place = (
    name: Field['name'],
    text: string,
    at: { x: number; align: number; middle: number; rgb: PlacedText['rgb'] },
  ): PlacedText => {
    const width = textWidth(text, fontPx);
    const startX = Math.round(at.x - width * at.align);
    const baselineY = Math.round(at.middle + capPx / 2);
    const box = {
      x: startX,
      y: Math.round(baselineY - capPx - overPx),
      width: Math.ceil(width),
      height: Math.ceil(capPx) + 2 * overPx,
    };
    return { name, text, box, x: startX, baselineY, fontPx, rgb: at.rgb };
  };
  const boardY = y(36);
  const playerY = lowerY(318);
  const panel = (unitsX: number, top: number, width: number, height: number, rgb: Panel['rgb']): Panel => ({
    x: x(unitsX),
    y: top,
    width: size(width),
    height: size(height),
    rgb,
  });
  return {
    panels: [
      panel(12, y(14), 616, 44, NAVY),
      panel(187, y(14), 62, 44, YELLOW),
      panel(391, y(14), 62, 44, YELLOW),
      panel(28, lowerY(296), 250, 44, BLACK),
    ],
    texts: [
      place('home', truth.home, { x: x(24), align: 0, middle: boardY, rgb: WHITE }),
      place('homeScore', String(truth.homeScore), { x: x(218), align: 0.5, middle: boardY, rgb: BLACK }),
      place('clock', truth.clock, { x: x(320), align: 0.5, middle: boardY, rgb: WHITE }),
      place('awayScore', String(truth.awayScore), { x: x(422), align: 0.5, middle: boardY, rgb: BLACK }),
      place('away', truth.away, { x: x(616), align: 1, middle: boardY, rgb: WHITE }),
      place('player', truth.player, { x: x(46), align: 0, middle: playerY, rgb: WHITE }),
    ],
  };
}
