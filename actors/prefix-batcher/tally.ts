export interface PoolCounts {
  granted: number;
  batches: number;
  /** Of more than one model. */
  mixed: number;
  /** In each batch, summed. */
  models: number;
  dropped: number;
  refused: number;
}

/** Counts since start, by pool; they go on when a plan changes. */
export class Tally {
  readonly #counts = new Map<string, PoolCounts>();

  of(pool: string): PoolCounts {
    let counts = this.#counts.get(pool);
    if (!counts) {
      counts = { granted: 0, batches: 0, mixed: 0, models: 0, dropped: 0, refused: 0 };
      this.#counts.set(pool, counts);
    }
    return counts;
  }
}
