import type { Box, Output } from '../../contracts/index.ts';
import type { Geometry } from '../pre/input.ts';
import { components, type Component } from './components.ts';
import { cornersOf, leastRectangle, type Point, type Rectangle } from './rectangle.ts';

export interface TextBoxSettings {
  readonly threshold?: number;
  readonly boxThreshold?: number;
  readonly unclip?: number;
  readonly sideMin?: number;
  readonly boxesMax?: number;
}

/** Regions looked at: a map of noise has thousands. */
const REGIONS_MAX = 2000;

/** Mean of the map over the pixels whose middle lies in the rectangle. */
function meanInside(map: Float32Array, width: number, height: number, box: Rectangle): number {
  const corners = cornersOf(box);
  const bound = (axis: 0 | 1, most: number): [number, number] => {
    const values = corners.map(corner => corner[axis]);
    return [Math.max(0, Math.floor(Math.min(...values))), Math.min(most, Math.ceil(Math.max(...values)))];
  };
  const [left, right] = bound(0, width);
  const [top, bottom] = bound(1, height);
  let sum = 0;
  let count = 0;
  for (let y = top; y < bottom; y++)
    for (let x = left; x < right; x++) {
      const dx = x + 0.5 - box.cx;
      const dy = y + 0.5 - box.cy;
      if (Math.abs(dx * box.ux + dy * box.uy) > box.width / 2) continue;
      if (Math.abs(dy * box.ux - dx * box.uy) > box.height / 2) continue;
      sum += map[y * width + x]!;
      count++;
    }
  return count === 0 ? 0 : sum / count;
}

/** The pixels' outer corners that can lie on the hull: the ends of each row. */
function outline({ rows, top }: Component): Point[] {
  return rows.flatMap(([left, right], index): Point[] => {
    const y = top + index;
    return [
      [left, y],
      [left, y + 1],
      [right + 1, y],
      [right + 1, y + 1],
    ];
  });
}

/**
 * Text regions of a probability map by differentiable binarisation (Liao et al., AAAI'20, §3.5): binarise, connected regions,
 * least rectangle, score by the mean inside, grow by D = A·r/L. Boxes are in pixels of the picture and in reading
 * order (rows from the top, then from the left); with more than `boxesMax` the best scores stay.
 * @param map [1,H,W] probabilities
 */
export function textBoxes(
  map: Float32Array,
  dims: readonly number[],
  settings: TextBoxSettings,
  geometry: Geometry,
): Output {
  const { threshold = 0.3, boxThreshold = 0.6, unclip = 1.5, sideMin = 3, boxesMax = 100 } = settings;
  const [height = 0, width = 0] = dims.slice(-2);
  if (height * width !== map.length || map.length === 0)
    throw new Error(`an output of dims [${dims.join(',')}] is no probability map [1,H,W]`);
  const found: Box[] = [];
  for (const component of components(map, width, threshold, REGIONS_MAX)) {
    const core = leastRectangle(outline(component));
    if (!core || Math.min(core.width, core.height) < sideMin) continue;
    const score = meanInside(map, width, height, core);
    if (score < boxThreshold) continue;
    const grow = (core.width * core.height * unclip) / (2 * (core.width + core.height));
    const grown = { ...core, width: core.width + 2 * grow, height: core.height + 2 * grow };
    const box = onPicture(grown, { width, height }, geometry, score);
    if (box) found.push(box);
  }
  const best = found.sort((a, b) => b.score - a.score).slice(0, boxesMax);
  return { kind: 'boxes', boxes: inReadingOrder(best) };
}

/** Rows from the top, each from the left. A box belongs to a row when its middle is in the upper box's height. */
function inReadingOrder(boxes: Box[]): Box[] {
  const middle = (box: Box): number => box.y + box.height / 2;
  const rows: Box[][] = [];
  for (const box of boxes.sort((a, b) => middle(a) - middle(b))) {
    const first = rows.at(-1)?.[0];
    if (first && middle(box) < first.y + first.height) rows.at(-1)!.push(box);
    else rows.push([box]);
  }
  return rows.flatMap(row => row.sort((a, b) => a.x - b.x));
}

function onPicture(
  box: Rectangle,
  map: { width: number; height: number },
  geometry: Geometry,
  score: number,
): Box | undefined {
  const { width, height, scaleX, scaleY, offsetX, offsetY, inputWidth, inputHeight } = geometry;
  // The map may be smaller than the input.
  const atX = (x: number): number => Math.min(width, Math.max(0, ((x * inputWidth) / map.width - offsetX) / scaleX));
  const atY = (y: number): number => Math.min(height, Math.max(0, ((y * inputHeight) / map.height - offsetY) / scaleY));
  const quad = cornersOf(box).flatMap(([x, y]) => [atX(x), atY(y)]);
  const xs = quad.filter((_, index) => index % 2 === 0);
  const ys = quad.filter((_, index) => index % 2 === 1);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  const [boxWidth, boxHeight] = [Math.max(...xs) - x, Math.max(...ys) - y];
  if (boxWidth <= 0 || boxHeight <= 0) return undefined; // in the padding
  return { x, y, width: boxWidth, height: boxHeight, score: Math.min(1, score), quad };
}
