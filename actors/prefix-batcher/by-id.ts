const SLOTS_MIN = 64;

/**
 * Things by their id, any whole number ≥ 0; quickest where ids were given in turn, for their last digits are the place that is looked at first
 * (open addressing, deletion by moving back what follows). A `Map` that lives long would get a new table again and again as things come and go,
 * and each old one would keep what it held until the next collection of old memory.
 */
export class ById<T extends { readonly id: number }> {
  #slots: (T | undefined)[] = places(SLOTS_MIN);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): T | undefined {
    return this.#slots[this.#find(id)];
  }

  /** Nothing with its id may be there. */
  add(item: T): void {
    if (2 * this.#size >= this.#slots.length) this.#grow();
    this.#slots[this.#find(item.id)] = item;
    this.#size++;
  }

  /** False when it wasn't there. */
  delete(id: number): boolean {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#find(id);
    if (!slots[hole]) return false;
    for (let at = (hole + 1) & mask; slots[at]; at = (at + 1) & mask) {
      // What stands behind its own place, and this is not behind the hole, may move there.
      if (((at - this.#home(slots[at]!.id)) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at];
      hole = at;
    }
    slots[hole] = undefined;
    this.#size--;
    return true;
  }

  #home(id: number): number {
    return id & (this.#slots.length - 1);
  }

  /** Its slot, or the free one where it belongs. At least half of them are free. */
  #find(id: number): number {
    const slots = this.#slots;
    let at = this.#home(id);
    for (let item = slots[at]; item && item.id !== id; item = slots[at]) at = (at + 1) & (slots.length - 1);
    return at;
  }

  #grow(): void {
    const items = this.#slots;
    this.#slots = places(2 * items.length);
    for (const item of items) if (item) this.#slots[this.#find(item.id)] = item;
  }
}

const places = <T>(length: number): (T | undefined)[] => Array.from({ length }, () => undefined);
