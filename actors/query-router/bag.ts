/** Things in no order, each of which knows its place: adding and removing search for nothing and leave nothing behind. */
export class Bag<T extends { place: number }> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.place = this.#items.push(item) - 1;
  }

  /** It must be there. */
  remove(item: T): void {
    const last = this.#items.pop()!;
    if (last === item) return;
    this.#items[item.place] = last;
    last.place = item.place;
  }

  /** As they are now. */
  items(): T[] {
    return [...this.#items];
  }
}
