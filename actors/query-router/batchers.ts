import type { BatcherBeat } from '../../contracts/index.ts';

/** Pools remembered at most: more can only be names of plans long gone. */
const POOLS_MAX = 4096;

/** Which process schedules each pool, by the beats of batchers. */
export class Batchers {
  readonly #runs = new Map<string, string>();

  /** @returns the pools that another process has taken over: it doesn't know what was offered before it listened */
  beat({ incarnation = '', leaving = false, pools }: BatcherBeat): string[] {
    if (leaving) return [];
    const taken = pools.map(({ pool }) => pool).filter(pool => this.#runs.get(pool) !== incarnation);
    if (taken.length > 0 && this.#runs.size >= POOLS_MAX) this.#runs.clear();
    for (const pool of taken) this.#runs.set(pool, incarnation);
    return taken;
  }
}
