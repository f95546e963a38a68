/** A connected region: for each row from `top` on its first and last column. */
export interface Component {
  readonly top: number;
  readonly rows: readonly (readonly [left: number, right: number])[];
  readonly pixels: number;
}

/**
 * Regions of values above `threshold` that touch by a side or a corner (flood fill), in the order of their first pixel, at most `most`.
 * @param map rows of `width` values
 */
export function components(map: Float32Array, width: number, threshold: number, most: number): Component[] {
  const height = map.length / width;
  const seen = new Uint8Array(map.length);
  const found: Component[] = [];
  const stack: number[] = [];
  const visit = (x: number, y: number): void => {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const at = y * width + x;
    if (seen[at] || !(map[at]! > threshold)) return;
    seen[at] = 1;
    stack.push(at);
  };
  for (let start = 0; start < map.length && found.length < most; start++) {
    if (seen[start] || !(map[start]! > threshold)) continue;
    const top = Math.floor(start / width);
    const rows: [number, number][] = [];
    let pixels = 0;
    visit(start % width, top);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const y = Math.floor(at / width);
      const x = at - y * width;
      pixels++;
      // Scanning by rows, the first pixel is in the top row; rows below are reached one at a time, without gaps.
      const row = (rows[y - top] ??= [x, x]);
      row[0] = Math.min(row[0], x);
      row[1] = Math.max(row[1], x);
      for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) if (dx !== 0 || dy !== 0) visit(x + dx, y + dy);
    }
    found.push({ top, rows, pixels });
  }
  return found;
}
