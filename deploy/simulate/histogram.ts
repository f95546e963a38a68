/** Counts of values ≥ 0 in bins of one width; what lies beyond the last bin is counted there. Memory doesn't grow. */
export class Histogram {
  readonly width: number;
  readonly counts: Float64Array;
  #sum = 0;
  #count = 0;
  #max = 0;

  constructor(width: number, bins: number) {
    this.width = width;
    this.counts = new Float64Array(bins);
  }

  get count(): number {
    return this.#count;
  }
  get max(): number {
    return this.#max;
  }
  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  add(value: number): void {
    const bin = Math.min(this.counts.length - 1, Math.floor(value / this.width));
    this.counts[bin]!++;
    this.#sum += value;
    this.#count++;
    if (value > this.#max) this.#max = value;
  }

  /** The value that `share` (0..1) of all don't exceed, as exact as a bin is wide; 0 when there are none. */
  quantile(share: number): number {
    const wanted = share * this.#count;
    let below = 0;
    for (let bin = 0; bin < this.counts.length; bin++) {
      const here = this.counts[bin]!;
      if (here > 0 && below + here >= wanted) {
        const last = bin === this.counts.length - 1;
        return last ? this.#max : Math.min(this.#max, this.width * (bin + (wanted - below) / here));
      }
      below += here;
    }
    return this.#max;
  }
}
