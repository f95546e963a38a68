import type { Box, Output, Postprocess, Static } from '../../contracts/index.ts';
import type { Geometry } from '../pre/input.ts';

export type BoxSettings = Extract<Static<typeof Postprocess>, { kind: 'boxes' }>;

/** x1 y1 x2 y2 in pixels of the model's input, class and score. */
interface Candidate {
  readonly corners: readonly [number, number, number, number];
  readonly score: number;
  readonly class: number;
}

/** More candidates than this would make the suppression quadratic in noise: the best go on. */
const CANDIDATES_MAX = 3000;

/** Intersection over union of two rectangles x1 y1 x2 y2, 0..1. */
export function intersectionOverUnion(a: readonly number[], b: readonly number[]): number {
  const [ax1, ay1, ax2, ay2] = a as [number, number, number, number];
  const [bx1, by1, bx2, by2] = b as [number, number, number, number];
  const width = Math.min(ax2, bx2) - Math.max(ax1, bx1);
  const height = Math.min(ay2, by2) - Math.max(ay1, by1);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - shared);
}

/** Greedy non-maximum suppression, per class: best first, those that overlap a kept one by more than `threshold` go. */
function suppress(candidates: readonly Candidate[], threshold: number, most: number): Candidate[] {
  const kept: Candidate[] = [];
  for (const candidate of candidates) {
    if (kept.length >= most) break;
    const covered = kept.some(
      other => other.class === candidate.class && intersectionOverUnion(other.corners, candidate.corners) > threshold,
    );
    if (!covered) kept.push(candidate);
  }
  return kept;
}

function cornersOf(how: BoxSettings['coordinates'], a: number, b: number, c: number, d: number): Candidate['corners'] {
  if (how === 'corners') return [a, b, c, d];
  if (how === 'center') return [a - c / 2, b - d / 2, a + c / 2, b + d / 2];
  return [a, b, a + c, b + d];
}

/** A rectangle of the model's input in pixels of the picture, clipped to it; undefined when nothing of it is left. */
function onPicture(corners: Candidate['corners'], geometry: Geometry) {
  const { width, height, scaleX, scaleY, offsetX, offsetY } = geometry;
  const atX = (x: number): number => Math.min(width, Math.max(0, (x - offsetX) / scaleX));
  const atY = (y: number): number => Math.min(height, Math.max(0, (y - offsetY) / scaleY));
  const [x, y, right, bottom] = [atX(corners[0]), atY(corners[1]), atX(corners[2]), atY(corners[3])];
  return right > x && bottom > y ? { x, y, width: right - x, height: bottom - y } : undefined;
}

interface Layer {
  readonly dims: readonly number[];
  readonly values: Float32Array;
}

/** Reads column `column` of anchor `anchor` from [A,columns] or, transposed, [columns,A]. */
function reader(
  { dims, values }: Layer,
  transposed: boolean,
): { anchors: number; columns: number; at: (anchor: number, column: number) => number } {
  const [columns = 0, anchors = 0] = transposed ? dims.slice(-2) : dims.slice(-2).toReversed();
  return {
    anchors,
    columns,
    at: transposed
      ? (anchor, column) => values[column * anchors + anchor]!
      : (anchor, column) => values[anchor * columns + column]!,
  };
}

/**
 * Detections of an anchor-wise detector: thresholded, suppressed per class, in pixels of the picture, best first.
 * @param layers `boxes` [A,4] or [A,4+classes], `scores` [A,classes]; or both transposed
 */
export function boxes(
  layers: { readonly boxes: Layer; readonly scores?: Layer | undefined },
  settings: BoxSettings,
  { geometry, labels = [] }: { geometry: Geometry; labels?: readonly string[] },
): Output {
  const { scoreThreshold = 0.5, iouThreshold = 0.45, boxesMax = 100, transposed = false } = settings;
  const coordinates = reader(layers.boxes, transposed);
  const scores = layers.scores ? reader(layers.scores, transposed) : coordinates;
  const first = (layers.scores ? 0 : 4) + (settings.objectness ? 1 : 0);
  if (coordinates.columns < 4 || scores.columns <= first - (settings.objectness ? 1 : 0))
    throw new Error(`output of dims [${layers.boxes.dims.join(',')}] holds no boxes and scores`);
  if (scores.anchors !== coordinates.anchors)
    throw new Error(`${coordinates.anchors} boxes but ${scores.anchors} scores`);
  const unitX = settings.normalised ? geometry.inputWidth : 1;
  const unitY = settings.normalised ? geometry.inputHeight : 1;

  const candidates: Candidate[] = [];
  for (let anchor = 0; anchor < coordinates.anchors; anchor++) {
    const objectness = settings.objectness ? scores.at(anchor, first - 1) : 1;
    if (objectness < scoreThreshold && settings.objectness) continue;
    let best = -1;
    let score = scores.columns === first ? objectness : -Infinity; // objectness alone: one class
    for (let column = first; column < scores.columns; column++) {
      const value = scores.at(anchor, column) * objectness;
      if (column - first !== settings.background && value > score) [best, score] = [column - first, value];
    }
    if (!(score >= scoreThreshold)) continue;
    const [a, b, c, d] = [0, 1, 2, 3].map(column => coordinates.at(anchor, column)) as [number, number, number, number];
    candidates.push({
      corners: cornersOf(settings.coordinates, a * unitX, b * unitY, c * unitX, d * unitY),
      score,
      class: Math.max(0, best),
    });
  }
  candidates.sort((a, b) => b.score - a.score);
  const found: Box[] = [];
  for (const candidate of suppress(candidates.slice(0, CANDIDATES_MAX), iouThreshold, boxesMax)) {
    const part = onPicture(candidate.corners, geometry);
    const label = labels[candidate.class];
    if (part) found.push({ ...part, score: candidate.score, ...(label === undefined ? {} : { label }) });
  }
  return { kind: 'boxes', boxes: found };
}
