const SIZE_MIN = 64;

/**
 * Timers that come in the order in which they are due: a ring without an object for each. What is due before the last one, or at the
 * same time with a lower `seq`, doesn't fit.
 */
export class TimerLine {
  #dueMs = new Float64Array(SIZE_MIN);
  #seq = new Float64Array(SIZE_MIN);
  #fns: (() => void)[] = places(SIZE_MIN);
  #head = 0;
  #size = 0;
  /** Of the first one; Infinity when there is none. */
  dueMs = Infinity;
  seq = 0;
  #lastDueMs = -Infinity;

  get size(): number {
    return this.#size;
  }

  fits(dueMs: number): boolean {
    return this.#size === 0 || dueMs >= this.#lastDueMs;
  }

  /** `seq` grows from one to the next. */
  push(dueMs: number, seq: number, fn: () => void): void {
    if (this.#size === this.#fns.length) this.#grow();
    const at = (this.#head + this.#size++) & (this.#fns.length - 1);
    this.#dueMs[at] = dueMs;
    this.#seq[at] = seq;
    this.#fns[at] = fn;
    this.#lastDueMs = dueMs;
    if (this.#size === 1) this.#show();
  }

  /** Takes the first one out, of at least one. */
  shift(): () => void {
    const fn = this.#fns[this.#head]!;
    this.#fns[this.#head] = nothing;
    this.#head = (this.#head + 1) & (this.#fns.length - 1);
    this.#size--;
    if (this.#size > 0) this.#show();
    else this.dueMs = Infinity;
    return fn;
  }

  #show(): void {
    this.dueMs = this.#dueMs[this.#head]!;
    this.seq = this.#seq[this.#head]!;
  }

  #grow(): void {
    const size = this.#fns.length;
    const order = <T>(list: ArrayLike<T>): T[] =>
      Array.from({ length: size }, (_, i) => list[(this.#head + i) & (size - 1)]!);
    const dueMs = new Float64Array(2 * size);
    const seq = new Float64Array(2 * size);
    dueMs.set(order(this.#dueMs));
    seq.set(order(this.#seq));
    this.#fns = [...order(this.#fns), ...places(size)];
    this.#dueMs = dueMs;
    this.#seq = seq;
    this.#head = 0;
  }
}

function nothing(): void {}
const places = (length: number): (() => void)[] => Array.from({ length }, () => nothing);
