/** The largest batch of 1..max that `fits`, where those that fit come first (binary search); 0 when none does. */
export function largestFitting(max: number, fits: (batch: number) => boolean): number {
  let low = 0;
  let high = max;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
