const ENTRIES_MIN = 1024;
/** What an empty list gives. */
export const NO_ID = -1;
const NOWHERE = -1;

/**
 * A fixed number of lists of ids (whole numbers from 0 to 2³¹ − 1), first in, first out. All entries stand in the same two columns: nothing
 * is made for one, and what was added at about the same time lies together.
 */
export class IdLists {
  /** Where the first and the last entry of each list stand; the last one's is of no meaning while there is no first. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  /** Of each entry its id, and where the next one of its list stands; of a free one, where the next free one does. */
  #ids = new Int32Array(0);
  #next = new Int32Array(0);
  #free = NOWHERE;

  constructor(lists: number) {
    this.#first = new Int32Array(lists).fill(NOWHERE);
    this.#last = new Int32Array(lists);
  }

  isEmpty(list: number): boolean {
    return this.#first[list] === NOWHERE;
  }

  push(list: number, id: number): void {
    if (this.#free === NOWHERE) this.#grow();
    const at = this.#free;
    this.#free = this.#next[at]!;
    this.#ids[at] = id;
    this.#next[at] = NOWHERE;
    if (this.#first[list] === NOWHERE) this.#first[list] = at;
    else this.#next[this.#last[list]!] = at;
    this.#last[list] = at;
  }

  /** Takes the first one out; {@link NO_ID} when there is none. */
  shift(list: number): number {
    const at = this.#first[list]!;
    if (at === NOWHERE) return NO_ID;
    this.#first[list] = this.#next[at]!;
    this.#next[at] = this.#free;
    this.#free = at;
    return this.#ids[at]!;
  }

  /** When none is free. */
  #grow(): void {
    const before = this.#ids.length;
    const size = Math.max(ENTRIES_MIN, 2 * before);
    const ids = new Int32Array(size);
    const next = new Int32Array(size);
    ids.set(this.#ids);
    next.set(this.#next);
    for (let at = before; at < size; at++) next[at] = at + 1 < size ? at + 1 : NOWHERE;
    this.#ids = ids;
    this.#next = next;
    this.#free = before;
  }
}
