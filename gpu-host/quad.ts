import type { Pixels } from './imaging.ts';

/** Turned by less, a quad is cut as the rectangle around it: sampling would only blur it. */
const TURNED_DEGREES = 3;
/** Longest side of a sampled quad, pixels: a wild quad must not take the memory. */
const SIDE_MAX = 4096;

const distance = (ax: number, ay: number, bx: number, by: number): number => Math.hypot(bx - ax, by - ay);

/** Whether the upper side of a quad (x0 y0 … x3 y3, clockwise) leans by more than a few degrees. */
export function isTurned(quad: readonly number[]): boolean {
  const [x0, y0, x1, y1] = quad as [number, number, number, number];
  return Math.abs(Math.atan2(y1 - y0, x1 - x0)) > (TURNED_DEGREES * Math.PI) / 180;
}

/**
 * The part of a picture inside a quad, turned upright: as wide and high as the quad's longer opposite sides, sampled
 * bilinearly between its corners; outside of the picture its edge goes on. For a rectangle this is the affine map.
 */
export function sampleQuad(pixels: Pixels, quad: readonly number[]): Pixels {
  const [x0, y0, x1, y1, x2, y2, x3, y3] = quad as [number, number, number, number, number, number, number, number];
  const side = (length: number): number => Math.min(SIDE_MAX, Math.max(1, Math.round(length)));
  const width = side(Math.max(distance(x0, y0, x1, y1), distance(x3, y3, x2, y2)));
  const height = side(Math.max(distance(x0, y0, x3, y3), distance(x1, y1, x2, y2)));
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const down = (row + 0.5) / height;
    const leftX = x0 + (x3 - x0) * down;
    const leftY = y0 + (y3 - y0) * down;
    const stepX = (x1 + (x2 - x1) * down - leftX) / width;
    const stepY = (y1 + (y2 - y1) * down - leftY) / width;
    for (let column = 0; column < width; column++)
      sample(pixels, leftX + stepX * (column + 0.5), leftY + stepY * (column + 0.5), data, (row * width + column) * 3);
  }
  return { width, height, data };
}

/** Bilinear: writes the colour at (x, y), where the middle of the first pixel is (0.5, 0.5). */
function sample(pixels: Pixels, x: number, y: number, into: Uint8Array, at: number): void {
  const { width, height, data } = pixels;
  const px = Math.min(width - 1, Math.max(0, x - 0.5));
  const py = Math.min(height - 1, Math.max(0, y - 0.5));
  const left = Math.floor(px);
  const top = Math.floor(py);
  const right = Math.min(width - 1, left + 1);
  const bottom = Math.min(height - 1, top + 1);
  const fx = px - left;
  const fy = py - top;
  for (let channel = 0; channel < 3; channel++) {
    const upper =
      data[(top * width + left) * 3 + channel]! * (1 - fx) + data[(top * width + right) * 3 + channel]! * fx;
    const lower =
      data[(bottom * width + left) * 3 + channel]! * (1 - fx) + data[(bottom * width + right) * 3 + channel]! * fx;
    into[at + channel] = upper * (1 - fy) + lower * fy + 0.5;
  }
}
