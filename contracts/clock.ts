/** Cancels a pending timer. Calling it twice, or after the timer fired, does nothing. */
export type Cancel = () => void;

/** The only source of time in production code. All values are milliseconds. */
export interface Clock {
  /** Milliseconds since an arbitrary origin, monotonic: never goes backwards. Fractions are meaningful. */
  nowMs(): number;
  /** Runs `fn` once, `delayMs` (>= 0) from now. Timers due at the same instant run in the order they were set. */
  after(delayMs: number, fn: () => void): Cancel;
  /** As {@link after}, for what is never cancelled: cheaper, most of all where delays are about the same. */
  post(delayMs: number, fn: () => void): void;
  /** Runs `fn` when what now runs has returned, before another timer fires or another message arrives; in the order they were set. */
  atTurnEnd(fn: () => void): void;
  /** Unix time in milliseconds, for people and logs only: deadlines and durations never use it. */
  unixMs(): number;
}

/** Runs `fn` every `periodMs`, first after one period; a slow `fn` delays the next run, runs never pile up. */
export function every(clock: Clock, periodMs: number, fn: () => void): Cancel {
  if (!(periodMs > 0)) throw new RangeError(`periodMs must be > 0, got ${periodMs}`);
  let cancelled = false;
  let cancel: Cancel = () => {};
  const arm = (): void => {
    cancel = clock.after(periodMs, () => {
      fn();
      if (!cancelled) arm();
    });
  };
  arm();
  return () => {
    cancelled = true;
    cancel();
  };
}

/** Resolves after `delayMs` on `clock`. */
export const sleep = (clock: Clock, delayMs: number): Promise<void> =>
  new Promise(resolve => void clock.after(delayMs, resolve));
