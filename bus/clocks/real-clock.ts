import { alarmOn, type Clock, type Random } from '../../contracts/index.ts';

/** The longest delay that a timer of Node takes; longer ones would fire at once. */
const NODE_DELAY_MS_MAX = 2 ** 31 - 1;

const returned = Promise.resolve();

/**
 * The clock of this process. Node's timers count whole milliseconds: one may fire a fraction of a millisecond early and,
 * when the process is busy, any time late. No delay at all costs no millisecond: it runs when the current turn is over.
 */
export const realClock: Clock = {
  nowMs: () => performance.now(),
  unixMs: () => Date.now(),
  after: (delayMs, fn) => {
    if (!(delayMs >= 0)) throw new RangeError(`delayMs must be >= 0, got ${delayMs}`);
    if (delayMs === 0) {
      const immediate = setImmediate(fn);
      return () => clearImmediate(immediate);
    }
    let timer: NodeJS.Timeout;
    const arm = (restMs: number): void => {
      timer =
        restMs > NODE_DELAY_MS_MAX
          ? setTimeout(() => arm(restMs - NODE_DELAY_MS_MAX), NODE_DELAY_MS_MAX)
          : setTimeout(fn, restMs);
    };
    arm(delayMs);
    return () => clearTimeout(timer);
  },
  alarm: fn => alarmOn((delayMs, ring) => realClock.after(delayMs, ring), fn),
  post: (delayMs, fn) => void realClock.after(delayMs, fn),
  // queueMicrotask of Node makes an object to trace each call by. What `fn` throws ends the process here, too.
  atTurnEnd: fn => void returned.then(fn),
};

/** Different in each run. Where a run must replay, inject `seededRandom`. */
export const systemRandom: Random = { next: () => Math.random() };
