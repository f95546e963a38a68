import type { Batch } from './batch.ts';

/** Late payloads of a batch are answered for so long after it started. */
const REMEMBER_MS = 10_000;
const REMEMBERED_MAX = 4096;

interface Closed {
  readonly untilMs: number;
  /** `router/id` → model, of invocations that started without their payload; undefined when there are none. */
  readonly missing: Map<string, string> | undefined;
}

/** Batches that started, ended or were refused: what comes for them later must not open them again. Bounded, oldest out first. */
export class PastBatches {
  readonly #closed = new Map<string, Closed>();

  add(batch: Batch, nowMs: number): void {
    this.#closed.set(batch.id, { untilMs: nowMs + REMEMBER_MS, missing: missingOf(batch) });
    for (const [id, { untilMs }] of this.#closed) {
      if (untilMs > nowMs && this.#closed.size <= REMEMBERED_MAX) break;
      this.#closed.delete(id);
    }
  }

  has(batch: string): boolean {
    return this.#closed.has(batch);
  }

  /** The model of an invocation that the batch started without; undefined when it was answered. Asked once. */
  takeMissing(batch: string, router: string, id: number): string | undefined {
    const missing = this.#closed.get(batch)?.missing;
    const model = missing?.get(`${router}/${id}`);
    missing?.delete(`${router}/${id}`);
    return model;
  }
}

function missingOf(batch: Batch): Map<string, string> | undefined {
  if (batch.awaited === 0) return undefined;
  const missing = batch.itemsIn(state => state === 'awaited');
  return new Map(
    missing.map(item => [`${batch.routers[batch.router(item)]}/${batch.idOf(item)}`, batch.modelOf(item)]),
  );
}
