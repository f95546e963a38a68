export type Point = readonly [x: number, y: number];

/** A rectangle at any angle: its middle, the unit vector along its width, and its sides. */
export interface Rectangle {
  readonly cx: number;
  readonly cy: number;
  readonly ux: number;
  readonly uy: number;
  readonly width: number;
  readonly height: number;
}

const cross = (o: Point, a: Point, b: Point): number => (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);

/** Convex hull (Andrew's monotone chain), no three corners on a line. */
function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  if (sorted.length < 3) return sorted;
  const half = (ordered: readonly Point[]): Point[] => {
    const chain: Point[] = [];
    for (const point of ordered) {
      while (chain.length >= 2 && cross(chain.at(-2)!, chain.at(-1)!, point) <= 0) chain.pop();
      chain.push(point);
    }
    chain.pop();
    return chain;
  };
  return [...half(sorted), ...half(sorted.toReversed())];
}

/**
 * The rectangle of least area around points: one of its sides lies on a side of their hull (Freeman and Shapira, 1975). Its
 * width direction is the one within 45° of the x axis.
 */
export function leastRectangle(points: readonly Point[]): Rectangle | undefined {
  const hull = convexHull(points);
  let best: Rectangle | undefined;
  hull.forEach((from, index) => {
    const to = hull[(index + 1) % hull.length]!;
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (length === 0) return;
    const rectangle = around(hull, (to[0] - from[0]) / length, (to[1] - from[1]) / length);
    if (!best || rectangle.width * rectangle.height < best.width * best.height) best = rectangle;
  });
  return best;
}

/** The rectangle around points one of whose sides has the direction (ux, uy). */
function around(points: readonly Point[], ux: number, uy: number): Rectangle {
  if (Math.abs(uy) > Math.abs(ux)) [ux, uy] = [uy, -ux];
  if (ux < 0) [ux, uy] = [-ux, -uy];
  let [uMin, uMax, vMin, vMax] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const [x, y] of points) {
    const u = x * ux + y * uy;
    const v = y * ux - x * uy;
    uMin = Math.min(uMin, u);
    uMax = Math.max(uMax, u);
    vMin = Math.min(vMin, v);
    vMax = Math.max(vMax, v);
  }
  const u = (uMin + uMax) / 2;
  const v = (vMin + vMax) / 2;
  return { cx: u * ux - v * uy, cy: u * uy + v * ux, ux, uy, width: uMax - uMin, height: vMax - vMin };
}

/** Corners clockwise (y grows downwards) from the upper left. */
export function cornersOf({ cx, cy, ux, uy, width, height }: Rectangle): [Point, Point, Point, Point] {
  const corner = (right: number, down: number): Point => [
    cx + (right * width * ux - down * height * uy) / 2,
    cy + (right * width * uy + down * height * ux) / 2,
  ];
  return [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)];
}
