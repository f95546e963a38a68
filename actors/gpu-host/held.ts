import type { Item } from './batch.ts';

/** Memory that payloads and prepared inputs take, item by item. */
export class Held {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  set(item: Item, bytes: number): void {
    this.#bytes += bytes - item.heldBytes;
    item.heldBytes = bytes;
  }
}
