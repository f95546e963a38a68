/** When an actor that ended with an error is started again. */
export interface RestartPolicy {
  /** Before the first restart; doubled each time. */
  readonly firstMs: number;
  readonly longestMs: number;
  /** An actor that ran for so long counts as healthy: the next wait is `firstMs` again. */
  readonly steadyMs: number;
  /** More failures than this within `windowMs`: it is left down. */
  readonly failuresMax: number;
  readonly windowMs: number;
}

export const RESTART_POLICY: RestartPolicy = {
  firstMs: 200,
  longestMs: 10_000,
  steadyMs: 30_000,
  failuresMax: 10,
  windowMs: 120_000,
};

/** What is remembered of one actor's failures. */
export interface FailureRecord {
  /** When it failed, within the window, oldest first. */
  readonly failedAtMs: readonly number[];
  /** Failures in a row without a steady run between. */
  readonly inARow: number;
}
export const noFailures: FailureRecord = { failedAtMs: [], inARow: 0 };

export type RestartDecision =
  | { readonly restart: true; readonly inMs: number; readonly record: FailureRecord }
  | { readonly restart: false; readonly record: FailureRecord };

/** Exponential back-off with a bound on the rate: what to do about a failure at `nowMs` of a process that ran for `ranMs`. */
export function afterFailure(
  record: FailureRecord,
  facts: { readonly nowMs: number; readonly ranMs: number },
  policy: RestartPolicy,
): RestartDecision {
  const inARow = facts.ranMs >= policy.steadyMs ? 1 : record.inARow + 1;
  const recent = record.failedAtMs.filter(atMs => facts.nowMs - atMs < policy.windowMs);
  const next: FailureRecord = { failedAtMs: [...recent, facts.nowMs], inARow };
  if (next.failedAtMs.length > policy.failuresMax) return { restart: false, record: next };
  return { restart: true, inMs: Math.min(policy.longestMs, policy.firstMs * 2 ** (inARow - 1)), record: next };
}
