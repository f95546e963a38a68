export interface HeapTimer {
  /** As long as it stands in the heap these change only by {@link TimerHeap.set}. */
  dueMs: number;
  seq: number;
  readonly fn: () => void;
  /** Where it stands in the heap; -1 when it has left. */
  index: number;
}

/**
 * Binary heap of timers, earliest first, ties by `seq`. Each knows its place, so that a cancelled one leaves at once. The times stand in
 * a list of their own: comparing them touches no timer.
 */
export class TimerHeap {
  readonly #heap: HeapTimer[] = [];
  readonly #dueMs: number[] = [];

  get size(): number {
    return this.#heap.length;
  }

  get first(): HeapTimer | undefined {
    return this.#heap[0];
  }

  /** Puts it where it belongs now, whether it stands in the heap or not. */
  set(timer: HeapTimer, dueMs: number, seq: number): void {
    timer.dueMs = dueMs;
    timer.seq = seq;
    if (timer.index >= 0) return this.#settle(timer, timer.index);
    const at = this.#heap.length;
    this.#heap.push(timer);
    this.#dueMs.push(dueMs);
    this.#rise(timer, at);
  }

  /** Does nothing when the timer has left already. */
  remove(timer: HeapTimer): void {
    const at = timer.index;
    if (at < 0) return;
    timer.index = -1;
    const last = this.#heap.pop()!;
    this.#dueMs.pop();
    if (last !== timer) this.#settle(last, at);
  }

  #settle(timer: HeapTimer, at: number): void {
    if (at > 0 && this.#goesBefore(timer, (at - 1) >> 1)) this.#rise(timer, at);
    else this.#sink(timer, at);
  }

  #goesBefore(timer: HeapTimer, at: number): boolean {
    const dueMs = this.#dueMs[at]!;
    return timer.dueMs < dueMs || (timer.dueMs === dueMs && timer.seq < this.#heap[at]!.seq);
  }

  #rise(timer: HeapTimer, from: number): void {
    let at = from;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.#goesBefore(timer, up)) break;
      this.#put(this.#heap[up]!, at);
      at = up;
    }
    this.#put(timer, at);
  }

  #sink(timer: HeapTimer, from: number): void {
    const heap = this.#heap;
    const dueMs = this.#dueMs;
    let at = from;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      const right = down + 1;
      if (
        right < heap.length &&
        (dueMs[right]! < dueMs[down]! || (dueMs[right] === dueMs[down] && heap[right]!.seq < heap[down]!.seq))
      )
        down = right;
      if (this.#goesBefore(timer, down)) break;
      this.#put(heap[down]!, at);
      at = down;
    }
    this.#put(timer, at);
  }

  #put(timer: HeapTimer, at: number): void {
    this.#heap[at] = timer;
    this.#dueMs[at] = timer.dueMs;
    timer.index = at;
  }
}
