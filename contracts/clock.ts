/** Cancels a pending timer. Calling it twice, or after the timer fired, does nothing. */
export type Cancel = () => void;

/** Rings when its time has come; set again and again, where {@link Clock.after} would make a new one each time. */
export interface Alarm {
  /** It rings once, `delayMs` (>= 0) from now, and no more at the time for which it was set before. */
  set(delayMs: number): void;
  /** It doesn't ring until it is set again. */
  clear(): void;
}

/** The only source of time in production code. All values are milliseconds. */
export interface Clock {
  /** Milliseconds since an arbitrary origin, monotonic: never goes backwards. Fractions are meaningful. */
  nowMs(): number;
  /** Runs `fn` once, `delayMs` (>= 0) from now. Timers due at the same instant run in the order they were set. */
  after(delayMs: number, fn: () => void): Cancel;
  /** An alarm that calls `fn`, not set yet. */
  alarm(fn: () => void): Alarm;
  /** As {@link after}, for what is never cancelled: cheaper, most of all where delays are about the same. */
  post(delayMs: number, fn: () => void): void;
  /** Runs `fn` when what now runs has returned, before another timer fires or another message arrives; in the order they were set. */
  atTurnEnd(fn: () => void): void;
  /** Unix time in milliseconds, for people and logs only: deadlines and durations never use it. */
  unixMs(): number;
}

/** An {@link Alarm} of a clock that has none of its own. */
export function alarmOn(after: (delayMs: number, fn: () => void) => Cancel, fn: () => void): Alarm {
  let cancel: Cancel = () => {};
  return {
    set: delayMs => {
      cancel();
      cancel = after(delayMs, fn);
    },
    clear: () => cancel(),
  };
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
