import type { Box, FrameRegion, Output, Picture, Region, Size } from '../../contracts/index.ts';
import type { Cut } from './query.ts';

/** One box that was chosen: its index in the result, and where it lies in the frame. */
export interface Piece {
  readonly item: number;
  readonly region: Region;
}

/** The boxes that a cut takes, best scores first, at most `fanoutMax`. `frame`: needed where it has regions. */
export function choose(cut: Cut, boxes: readonly Box[], frame: Size | undefined): Piece[] {
  const chosen: number[] = [];
  for (let i = 0; i < boxes.length; i++) if (takes(cut, boxes[i]!, frame)) chosen.push(i);
  chosen.sort((a, b) => boxes[b]!.score - boxes[a]!.score);
  if (chosen.length > cut.fanoutMax) chosen.length = cut.fanoutMax;
  return chosen.map(item => ({ item, region: regionOf(boxes[item]!, cut.pad) }));
}

/** Whether a result lets a stage that takes the whole frame run: it has a box (or class) that the stage asks for. */
export function lets(cut: Cut, output: Output, frame: Size | undefined): boolean {
  if (output.kind === 'boxes') return output.boxes.some(box => takes(cut, box, frame));
  if (output.kind === 'classes' && (cut.labels || cut.scoreMin > -Infinity))
    return output.classes.some(found => fits(cut, found));
  return true;
}

const fits = (cut: Cut, found: { score: number; label?: string }): boolean =>
  found.score >= cut.scoreMin && (!cut.labels || (found.label !== undefined && cut.labels.has(found.label)));

const takes = (cut: Cut, box: Box, frame: Size | undefined): boolean =>
  fits(cut, box) && (!cut.regions || cut.regions.some(region => frame !== undefined && isIn(region, box, frame)));

function isIn(region: FrameRegion, box: Box, frame: Size): boolean {
  const x = (box.x + box.width / 2) / frame.width - region.x;
  const y = (box.y + box.height / 2) / frame.height - region.y;
  return x >= 0 && x <= region.width && y >= 0 && y <= region.height;
}

/** Turned by less, a quad is cut as the rectangle around it: turning would only blur it. */
const TURNED_DEGREES = 3.1;

function isTurned([x0 = 0, y0 = 0, x1 = 0, y1 = 0]: readonly number[]): boolean {
  return Math.abs(Math.atan2(y1 - y0, x1 - x0)) > (TURNED_DEGREES * Math.PI) / 180;
}

/** A box as a region in whole pixels, grown by `pad` × its smaller side and cut off at the upper and left edge. */
function regionOf(box: Box, pad: number): Region {
  if (box.quad && isTurned(box.quad)) return quadRegion(box.quad, pad);
  const by = pad * Math.min(box.width, box.height);
  return bounds(box.x - by, box.y - by, box.x + box.width + by, box.y + box.height + by);
}

function bounds(left: number, top: number, right: number, bottom: number): Region {
  const x = Math.max(0, Math.floor(left));
  const y = Math.max(0, Math.floor(top));
  return { x, y, width: Math.max(1, Math.ceil(right) - x), height: Math.max(1, Math.ceil(bottom) - y) };
}

function quadRegion(corners: readonly number[], pad: number): Region {
  const { origin, across, down, width, height } = axesOf(corners);
  const by = pad * Math.min(width, height);
  const at = (u: number, v: number): [number, number] => [
    origin[0] + across[0] * u + down[0] * v,
    origin[1] + across[1] * u + down[1] * v,
  ];
  // Growing a general quadrilateral along its axes keeps it similar enough; detectors give near-rectangles.
  const quad =
    pad === 0
      ? [...corners]
      : [...at(-by, -by), ...at(width + by, -by), ...at(width + by, height + by), ...at(-by, height + by)];
  const xs = quad.filter((_, i) => i % 2 === 0);
  const ys = quad.filter((_, i) => i % 2 === 1);
  return { ...bounds(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)), quad };
}

/** The upright frame of a quad: its upper left corner, unit vectors along its upper and left side, their lengths. */
function axesOf(quad: readonly number[]) {
  const [x0 = 0, y0 = 0, x1 = 0, y1 = 0, , , x3 = 0, y3 = 0] = quad;
  const width = Math.hypot(x1 - x0, y1 - y0) || 1;
  const height = Math.hypot(x3 - x0, y3 - y0) || 1;
  return {
    origin: [x0, y0] as const,
    across: [(x1 - x0) / width, (y1 - y0) / width] as const,
    down: [(x3 - x0) / height, (y3 - y0) / height] as const,
    width,
    height,
  };
}

/** Boxes found in a crop, in pixels of the frame that it was cut from. Other outputs as they are. */
export function toFrame(output: Output, region: Region | undefined, crop: Picture | undefined): Output {
  if (output.kind !== 'boxes' || !region) return output;
  const { quad } = region;
  return {
    kind: 'boxes',
    boxes: output.boxes.map(box => (quad ? turned(box, quad, crop) : moved(box, region.x, region.y))),
  };
}

function moved(box: Box, dx: number, dy: number): Box {
  const shift = (values: readonly number[]) => values.map((value, i) => value + (i % 2 === 0 ? dx : dy));
  return {
    ...box,
    x: box.x + dx,
    y: box.y + dy,
    ...(box.quad ? { quad: shift(box.quad) } : {}),
    ...(box.points ? { points: shift(box.points) } : {}),
  };
}

function turned(box: Box, quad: readonly number[], crop: Picture | undefined): Box {
  const { origin, across, down, width, height } = axesOf(quad);
  const scaleX = crop?.width ? width / crop.width : 1;
  const scaleY = crop?.height ? height / crop.height : 1;
  const turn = (values: readonly number[]): number[] => {
    const out: number[] = [];
    for (let i = 0; i + 1 < values.length; i += 2) {
      const u = values[i]! * scaleX;
      const v = values[i + 1]! * scaleY;
      out.push(origin[0] + across[0] * u + down[0] * v, origin[1] + across[1] * u + down[1] * v);
    }
    return out;
  };
  const right = box.x + box.width;
  const bottom = box.y + box.height;
  const corners = turn(box.quad ?? [box.x, box.y, right, box.y, right, bottom, box.x, bottom]);
  const xs = corners.filter((_, i) => i % 2 === 0);
  const ys = corners.filter((_, i) => i % 2 === 1);
  const x = Math.min(...xs);
  const y = Math.min(...ys);
  return {
    ...box,
    x,
    y,
    width: Math.max(...xs) - x,
    height: Math.max(...ys) - y,
    quad: corners,
    ...(box.points ? { points: turn(box.points) } : {}),
  };
}
