const SLOTS = 2 ** 17;

/**
 * Remembers which of the latest 131,072 ids were answered: that tells a second answer from one for a request that ended
 * otherwise.
 */
export class AnsweredIds {
  readonly #slots = new Int32Array(SLOTS);

  add(id: number): void {
    this.#slots[id & (SLOTS - 1)] = id;
  }

  has(id: number): boolean {
    return this.#slots[id & (SLOTS - 1)] === id;
  }
}
