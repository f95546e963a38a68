/** Largest id; then they begin again. Small integers are quick keys, and no more than this are ever alive. */
export const ID_MAX = 2 ** 30;
const SLOTS_MIN = 1024;

/**
 * What is alive, by ids that are given here. Ids are given in turn, so their last digits are a place in a table: nothing is hashed, and an
 * id whose place is still taken is left out.
 */
export class LiveIds<T extends { readonly id: number }> {
  #slots: (T | undefined)[] = places(SLOTS_MIN);
  /** Of who is in each place, 0 of nobody: beside them, so that who is gone is not looked for in another. */
  #ids = new Int32Array(SLOTS_MIN);
  #lastId: number;
  #size = 0;

  /** The first id is the one behind `lastId`, 0 ≤ lastId ≤ {@link ID_MAX}. */
  constructor(lastId: number) {
    this.#lastId = lastId;
  }

  get size(): number {
    return this.#size;
  }

  /** An id that nothing alive has; to be {@link add}ed before the next is asked for. */
  next(): number {
    if (2 * this.#size >= this.#slots.length) this.#grow();
    const mask = this.#slots.length - 1;
    do this.#lastId = this.#lastId >= ID_MAX ? 1 : this.#lastId + 1;
    while (this.#ids[this.#lastId & mask] !== 0);
    return this.#lastId;
  }

  /** `item.id` is what {@link next} gave last. */
  add(item: T): void {
    this.#put(item);
    this.#size++;
  }

  /** Any number may be asked for. */
  get(id: number): T | undefined {
    const at = id & (this.#ids.length - 1);
    return this.#ids[at] === id ? this.#slots[at] : undefined;
  }

  /** Does nothing when it isn't there any more. */
  delete({ id }: T): void {
    const at = id & (this.#ids.length - 1);
    if (this.#ids[at] !== id) return;
    this.#ids[at] = 0;
    this.#slots[at] = undefined;
    this.#size--;
  }

  /** All that is alive, mostly in the order in which it came. What is deleted meanwhile is left out; nothing may be added. */
  *values(): Generator<T> {
    const size = this.#slots.length;
    for (let i = 1; i <= size; i++) {
      const item = this.#slots[(this.#lastId + i) & (size - 1)];
      if (item) yield item;
    }
  }

  /** Places that differ in a small table differ in a larger one. */
  #grow(): void {
    const items = [...this.values()];
    this.#slots = places(2 * this.#slots.length);
    this.#ids = new Int32Array(this.#slots.length);
    for (const item of items) this.#put(item);
  }

  #put(item: T): void {
    const at = item.id & (this.#ids.length - 1);
    this.#ids[at] = item.id;
    this.#slots[at] = item;
  }
}

const places = <T>(length: number): (T | undefined)[] => Array.from({ length }, () => undefined);
