/**
 * A size: a number; `N`, the batch; `N*k`, k neighbouring rows for each input (`N*?` where k isn't known); undefined where nothing is known.
 */
export type Dim = number | string | undefined;

export const BATCH = 'N';
const UNKNOWN_ROWS = 'N*?';

export const isBatch = (dim: Dim): dim is string => typeof dim === 'string';

/** k of `N*k`; undefined where it isn't known. */
export const rowsPerInput = (dim: string): number | undefined =>
  dim === BATCH ? 1 : dim === UNKNOWN_ROWS ? undefined : Number(dim.slice(2));

const batchTimes = (rows: number | undefined): string =>
  rows === undefined ? UNKNOWN_ROWS : rows === 1 ? BATCH : `N*${rows}`;

export function times(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  if (a === 0 || b === 0) return 0;
  if (isBatch(a) && isBatch(b)) return undefined;
  if (isBatch(a)) return batchTimes(product(rowsPerInput(a), b));
  if (isBatch(b)) return batchTimes(product(rowsPerInput(b), a));
  return a === 1 ? b : b === 1 ? a : undefined;
}
const product = (a: Dim, b: Dim): number | undefined =>
  typeof a === 'number' && typeof b === 'number' ? a * b : undefined;

/** a / b where it is a whole number, else undefined. */
export function dividedBy(a: Dim, b: Dim): Dim {
  if (b === 1) return a;
  if (isBatch(a) && isBatch(b)) {
    const ratio = dividedBy(rowsPerInput(a), rowsPerInput(b));
    return typeof ratio === 'number' ? ratio : undefined;
  }
  if (isBatch(a) && typeof b === 'number' && b > 0) {
    const rows = rowsPerInput(a);
    return rows !== undefined && rows % b === 0 ? batchTimes(rows / b) : undefined;
  }
  if (typeof a === 'number' && typeof b === 'number' && b > 0 && a % b === 0) return a / b;
  return undefined;
}

export const sizeOf = (dims: readonly Dim[]): Dim => dims.reduce<Dim>(times, 1);

/** Known, and known to be equal. */
export const same = (a: Dim, b: Dim): boolean => a !== undefined && a !== UNKNOWN_ROWS && a === b;

/** One axis of a broadcast. A batch against a number above 1 has no size of its own. */
function broadcast(a: Dim, b: Dim): Dim {
  if (a === 1) return b;
  if (b === 1 || same(a, b)) return a;
  if (a === undefined) return b;
  if (b === undefined) return a;
  return undefined;
}

export function broadcastAll(shapes: readonly (readonly Dim[])[]): Dim[] {
  const rank = Math.max(0, ...shapes.map(dims => dims.length));
  return Array.from({ length: rank }, (_, axis) =>
    shapes.map(dims => (axis < rank - dims.length ? 1 : dims[axis - rank + dims.length])).reduce(broadcast, 1),
  );
}
