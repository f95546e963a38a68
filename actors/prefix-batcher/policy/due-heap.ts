/**
 * Numbers 0…n−1, each with a time, the earliest on top: a binary heap that knows where each number stands. A change costs
 * O(log n), and nothing is allocated. Infinity: never.
 */
export class DueHeap {
  readonly #atMs: Float64Array;
  readonly #heap: Int32Array;
  readonly #place: Int32Array;

  /** None is due ever. */
  constructor(size: number) {
    this.#atMs = new Float64Array(size).fill(Infinity);
    this.#heap = Int32Array.from({ length: size }, (_, i) => i);
    this.#place = Int32Array.from(this.#heap);
  }

  /** The number that is due first; undefined when none is there. */
  get first(): number | undefined {
    return this.#heap[0];
  }

  get firstAtMs(): number {
    const first = this.#heap[0];
    return first === undefined ? Infinity : this.#atMs[first]!;
  }

  set(number: number, atMs: number): void {
    const before = this.#atMs[number]!;
    if (atMs === before) return;
    this.#atMs[number] = atMs;
    if (atMs < before) this.#rise(number);
    else this.#sink(number);
  }

  #rise(number: number): void {
    const atMs = this.#atMs[number]!;
    let place = this.#place[number]!;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = this.#heap[above]!;
      if (this.#atMs[other]! <= atMs) break;
      this.#put(other, place);
      place = above;
    }
    this.#put(number, place);
  }

  #sink(number: number): void {
    const atMs = this.#atMs[number]!;
    const { length } = this.#heap;
    let place = this.#place[number]!;
    for (let below = 2 * place + 1; below < length; below = 2 * place + 1) {
      if (below + 1 < length && this.#atMs[this.#heap[below + 1]!]! < this.#atMs[this.#heap[below]!]!) below++;
      const other = this.#heap[below]!;
      if (this.#atMs[other]! >= atMs) break;
      this.#put(other, place);
      place = below;
    }
    this.#put(number, place);
  }

  #put(number: number, place: number): void {
    this.#heap[place] = number;
    this.#place[number] = place;
  }
}
