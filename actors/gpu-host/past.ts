import type { Batch } from './batch.ts';

/** Late payloads of a batch are answered for at least so long after it started, at most twice as long. */
const REMEMBER_MS = 10_000;
/** Fewer than this are remembered, the latest. */
const REMEMBERED_MAX = 4096;

/** `router/id` → model, of invocations that started without their payload; undefined when there are none. */
type Missing = Map<string, string> | undefined;

/**
 * Batches that started, ended or were refused: what comes for them later must not open them again. Two generations, of which the older one is
 * forgotten as a whole.
 */
export class PastBatches {
  #latest = new Map<string, Missing>();
  #older: ReadonlyMap<string, Missing> = new Map();
  #turnAtMs = -Infinity;

  add(batch: Batch, nowMs: number): void {
    if (nowMs >= this.#turnAtMs || this.#latest.size >= REMEMBERED_MAX / 2) {
      this.#older = this.#latest;
      this.#latest = new Map();
      this.#turnAtMs = nowMs + REMEMBER_MS;
    }
    this.#latest.set(batch.id, missingOf(batch));
  }

  has(batch: string): boolean {
    return this.#latest.has(batch) || this.#older.has(batch);
  }

  /** The model of an invocation that the batch started without; undefined when it was answered. Asked once. */
  takeMissing(batch: string, router: string, id: number): string | undefined {
    const missing = this.#latest.get(batch) ?? this.#older.get(batch);
    const model = missing?.get(`${router}/${id}`);
    missing?.delete(`${router}/${id}`);
    return model;
  }
}

function missingOf(batch: Batch): Missing {
  if (batch.awaited === 0) return undefined;
  const missing = batch.itemsIn(state => state === 'awaited');
  return new Map(
    missing.map(item => [`${batch.routers[batch.router(item)]}/${batch.idOf(item)}`, batch.modelOf(item)]),
  );
}
