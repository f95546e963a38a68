/** Rates are means over about this time. */
const MEMORY_MS = 1000;
/** The pool is short when more than this share of the demand is dropped. */
const SHORT_SHARE = 0.02;
/** While more than this share of what is let in is dropped all the same, no more is let in than is served; else a quarter more. */
const CROWDED_SHARE = 0.03;
const AMPLE = 1.25;

interface Account {
  /** Device time asked for, ms: since the latest measurement, and per second. */
  askedMs: number;
  demand: number;
  /** What share of it is let in, and how much of an invocation is saved up. */
  share: number;
  credit: number;
}

/**
 * Which tenants' invocations are turned away when a pool is short. Each may have the same device time; what one leaves is
 * the others' (max-min fairness). Only what exceeds that is turned away, at once, before it costs anybody anything; while nothing is
 * dropped, or where there is one tenant, nothing is.
 */
export class Fairness {
  readonly #accounts = new Map<string, Account>();
  #servedMs = 0;
  #droppedMs = 0;
  #refusedMs = 0;
  #served = 0;
  #dropped = 0;
  #refused = 0;

  /** Whether an invocation is let in. `costMs`: its device time in a usual batch. */
  admits(tenant: string, costMs: number): boolean {
    let account = this.#accounts.get(tenant);
    if (!account) this.#accounts.set(tenant, (account = { askedMs: 0, demand: 0, share: 1, credit: 0 }));
    account.askedMs += costMs;
    if (account.share >= 1) return true;
    account.credit += account.share;
    if (account.credit < 1) {
      this.#refusedMs += costMs;
      return false;
    }
    account.credit--;
    return true;
  }

  served(costMs: number): void {
    this.#servedMs += costMs;
  }

  dropped(costMs: number): void {
    this.#droppedMs += costMs;
  }

  measure(elapsedMs: number): void {
    if (!(elapsedMs > 0)) return;
    const gain = 1 - Math.exp(-elapsedMs / MEMORY_MS);
    const follow = (mean: number, seenMs: number): number => mean + gain * (seenMs / elapsedMs - mean);
    this.#served = follow(this.#served, this.#servedMs);
    this.#dropped = follow(this.#dropped, this.#droppedMs);
    this.#refused = follow(this.#refused, this.#refusedMs);
    this.#servedMs = 0;
    this.#droppedMs = 0;
    this.#refusedMs = 0;
    for (const [tenant, account] of this.#accounts) {
      account.demand = follow(account.demand, account.askedMs);
      account.askedMs = 0;
      if (account.demand < 1e-6) this.#accounts.delete(tenant);
    }
    const accounts = [...this.#accounts.values()];
    const lost = this.#dropped + this.#refused;
    const short = accounts.length > 1 && lost > SHORT_SHARE * (this.#served + lost);
    const crowded = this.#dropped > CROWDED_SHARE * this.#served;
    const capacity = crowded ? this.#served : AMPLE * this.#served;
    const demands = accounts.map(({ demand }) => demand);
    const level = short ? fairLevel(demands, capacity) : Infinity;
    for (const account of accounts) account.share = Math.min(1, level / account.demand);
  }
}

/** The level to which all demands are filled from `capacity`; Infinity when it fills all of them. */
export function fairLevel(demands: readonly number[], capacity: number): number {
  const sorted = demands.toSorted((a, b) => a - b);
  let left = capacity;
  for (const [i, demand] of sorted.entries()) {
    const level = left / (sorted.length - i);
    if (demand > level) return level;
    left -= demand;
  }
  return Infinity;
}
