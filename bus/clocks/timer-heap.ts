export interface HeapTimer {
  readonly dueMs: number;
  readonly seq: number;
  readonly fn: () => void;
  /** Where it stands in the heap; -1 when it has left. */
  index: number;
}

const before = (a: HeapTimer, b: HeapTimer): boolean => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.seq < b.seq);

/** Binary heap of timers, earliest first, ties by `seq`. Each knows its place, so that a cancelled one leaves at once. */
export class TimerHeap {
  readonly #heap: HeapTimer[] = [];

  get size(): number {
    return this.#heap.length;
  }

  get first(): HeapTimer | undefined {
    return this.#heap[0];
  }

  push(timer: HeapTimer): void {
    this.#heap.push(timer);
    this.#rise(timer, this.#heap.length - 1);
  }

  /** Does nothing when the timer has left already. */
  remove(timer: HeapTimer): void {
    const at = timer.index;
    if (at < 0) return;
    timer.index = -1;
    const last = this.#heap.pop()!;
    if (last === timer) return;
    const parent = this.#heap[(at - 1) >> 1];
    if (at > 0 && parent && before(last, parent)) this.#rise(last, at);
    else this.#sink(last, at);
  }

  #rise(timer: HeapTimer, from: number): void {
    const heap = this.#heap;
    let at = from;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up]!;
      if (!before(timer, parent)) break;
      heap[at] = parent;
      parent.index = at;
      at = up;
    }
    heap[at] = timer;
    timer.index = at;
  }

  #sink(timer: HeapTimer, from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      let down = 2 * at + 1;
      let child = heap[down];
      if (!child) break;
      const right = heap[down + 1];
      if (right && before(right, child)) {
        down++;
        child = right;
      }
      if (!before(child, timer)) break;
      heap[at] = child;
      child.index = at;
      at = down;
    }
    heap[at] = timer;
    timer.index = at;
  }
}
