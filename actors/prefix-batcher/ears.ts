import type { Plan, Subscription } from '../../contracts/index.ts';

/** How long offers to a pool that no longer exists are still heard, to be sent back at once. */
const LINGER_MS = 5000;

export interface EarsPorts {
  /** Listens to what is said to one pool. */
  listen(pool: string): Subscription[];
  after(delayMs: number, fn: () => void): void;
}

/** Hears what is said to the pools in charge. */
export class Ears {
  readonly #ports: EarsPorts;
  readonly #open = new Map<string, Subscription[]>();
  #inCharge: ReadonlySet<string> = new Set();

  constructor(ports: EarsPorts) {
    this.#ports = ports;
  }

  /** A pool that another batcher has now is left to it; one that is gone is heard for a while. */
  follow(plan: Plan, inCharge: ReadonlySet<string>): void {
    this.#inCharge = inCharge;
    for (const pool of inCharge) if (!this.#open.has(pool)) this.#open.set(pool, this.#ports.listen(pool));
    const planned = new Set(plan.pools.map(({ pool }) => pool));
    for (const pool of this.#open.keys()) {
      if (inCharge.has(pool)) continue;
      if (planned.has(pool)) this.#close(pool);
      else this.#ports.after(LINGER_MS, () => this.#inCharge.has(pool) || this.#close(pool));
    }
  }

  #close(pool: string): void {
    for (const subscription of this.#open.get(pool) ?? []) subscription.unsubscribe();
    this.#open.delete(pool);
  }
}
