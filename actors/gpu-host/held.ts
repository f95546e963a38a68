import type { Batch } from './batch.ts';

/** Memory that payloads and prepared inputs take, over all batches. */
export class Held {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  set(batch: Batch, item: number, bytes: number): void {
    this.#bytes += batch.hold(item, bytes);
  }
}
