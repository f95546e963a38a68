import { clear, type Alarm, type Cancel, type Clock } from '../../contracts/index.ts';
import { TimerHeap, type HeapTimer } from './timer-heap.ts';
import { TimerLine } from './timer-line.ts';
import { turnByTurn } from './turns.ts';

/** Timers fired at one instant beyond which something re-arms itself without a delay and time would stand still for ever. */
const FIRED_PER_INSTANT_MAX = 10_000_000;
/** 2026-01-01T00:00:00Z, for the time of day in logs. */
const START_UNIX_MS = 1_767_225_600_000;

/** What an alarm asks of its clock. */
interface Hand {
  set(timer: HeapTimer, delayMs: number): void;
  clear(timer: HeapTimer): void;
}

class VirtualAlarm implements Alarm, HeapTimer {
  dueMs = 0;
  seq = 0;
  index = -1;
  readonly fn: () => void;
  readonly #hand: Hand;

  constructor(hand: Hand, fn: () => void) {
    this.#hand = hand;
    this.fn = fn;
  }

  set(delayMs: number): void {
    this.#hand.set(this, delayMs);
  }

  clear(): void {
    this.#hand.clear(this);
  }
}

/**
 * Simulated time: it moves only while {@link runUntil} or one of its kin steps from one due timer to the next. After each
 * instant everything that only awaits promises has run to its end before time goes on, so a run with the same inputs is the
 * same run. What awaits the outside world (sockets, files, workers) is not waited for.
 */
export class VirtualClock implements Clock {
  readonly #timers = new TimerHeap();
  /** Posts, which mostly come in the order in which they are due. */
  readonly #line = new TimerLine();
  readonly #startUnixMs: number;
  #nowMs = 0;
  #seq = 0;
  #running = false;
  #firing = false;
  readonly #hand: Hand = {
    set: (timer, delayMs) => {
      if (!(delayMs >= 0)) throw new RangeError(`delayMs must be >= 0, got ${delayMs}`);
      this.#timers.set(timer, this.#nowMs + delayMs, this.#seq++);
    },
    clear: timer => this.#timers.remove(timer),
  };
  /** What is to run when all that is due now has. */
  readonly #atTurnEnd: (() => void)[] = [];

  constructor(options: { startUnixMs?: number } = {}) {
    this.#startUnixMs = options.startUnixMs ?? START_UNIX_MS;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  unixMs(): number {
    return this.#startUnixMs + Math.floor(this.#nowMs);
  }

  after(delayMs: number, fn: () => void): Cancel {
    const alarm = this.alarm(fn);
    alarm.set(delayMs);
    return () => alarm.clear();
  }

  alarm(fn: () => void): Alarm {
    return new VirtualAlarm(this.#hand, fn);
  }

  post(delayMs: number, fn: () => void): void {
    if (!(delayMs >= 0)) throw new RangeError(`delayMs must be >= 0, got ${delayMs}`);
    const dueMs = this.#nowMs + delayMs;
    if (this.#line.fits(dueMs)) this.#line.push(dueMs, this.#seq++, fn);
    else this.after(delayMs, fn);
  }

  atTurnEnd(fn: () => void): void {
    if (this.#firing) this.#atTurnEnd.push(fn);
    else void Promise.resolve().then(fn);
  }

  /** Timers waiting. */
  pending(): number {
    return this.#timers.size + this.#line.size;
  }

  /** When the next timer is due; undefined when none waits. */
  nextDueMs(): number | undefined {
    const dueMs = this.#nextMs();
    return dueMs === Infinity ? undefined : dueMs;
  }

  /** Fires every timer due up to `endMs` (inclusive) at its own due time, those set on the way too; then it is `endMs`. */
  async runUntil(endMs: number): Promise<void> {
    await this.#run(endMs, () => false);
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  async runFor(ms: number): Promise<void> {
    await this.runUntil(this.#nowMs + ms);
  }

  /** Runs until no timer waits. @throws Error when one still does after `limitMs` */
  async runUntilIdle(limitMs = 3_600_000): Promise<void> {
    const endMs = this.#nowMs + limitMs;
    await this.#run(endMs, () => false);
    if (this.pending() > 0) throw new Error(`${this.pending()} timers still wait after ${limitMs} ms`);
  }

  /** Runs until `condition` holds, looking after each instant. @throws Error when it doesn't within `limitMs` */
  async runUntilTrue(condition: () => boolean, limitMs = 60_000): Promise<void> {
    const endMs = this.#nowMs + limitMs;
    if (await this.#run(endMs, condition)) return;
    this.#nowMs = Math.max(this.#nowMs, endMs);
    throw new Error(`not so within ${limitMs} ms of simulated time: ${condition.toString().slice(0, 200)}`);
  }

  /** Runs until `promise` settles and passes its outcome on. @throws Error when it doesn't within `limitMs` */
  async settle<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let settled = false;
    const mark = (): void => void (settled = true);
    promise.then(mark, mark);
    await this.runUntilTrue(() => settled, limitMs);
    return promise;
  }

  /** True when `stop` held; false when nothing is due any more up to `endMs`. */
  async #run(endMs: number, stop: () => boolean): Promise<boolean> {
    if (this.#running) throw new Error('the clock is running already: await the other run first');
    this.#running = true;
    let fired = 0;
    try {
      return await turnByTurn(() => {
        if (stop()) return true;
        const nextMs = this.#nextMs();
        if (nextMs > endMs || nextMs === Infinity) return false;
        if (nextMs > this.#nowMs) fired = 0;
        this.#nowMs = nextMs;
        fired += this.#fireDue();
        if (fired > FIRED_PER_INSTANT_MAX) throw new Error(`time stands still at ${this.#nowMs} ms: a timer re-arms`);
        return undefined;
      });
    } finally {
      this.#running = false;
    }
  }

  #nextMs(): number {
    return Math.min(this.#timers.first?.dueMs ?? Infinity, this.#line.dueMs);
  }

  /** What comes next of all that is due now and was set before `endSeq`. */
  #takeDue(endSeq: number): (() => void) | undefined {
    const line = this.#line;
    const nowMs = this.#nowMs;
    const timer = this.#timers.first;
    const timerIsDue = timer !== undefined && timer.dueMs <= nowMs && timer.seq < endSeq;
    const postIsDue = line.dueMs <= nowMs && line.seq < endSeq;
    if (postIsDue && (!timerIsDue || line.dueMs < timer.dueMs || (line.dueMs === timer.dueMs && line.seq < timer.seq)))
      return line.shift();
    if (!timerIsDue) return undefined;
    this.#timers.remove(timer);
    return timer.fn;
  }

  /** What is due now and was set before now began; timers that these set for this same instant come in the next round. */
  #fireDue(): number {
    const endSeq = this.#seq;
    let fired = 0;
    this.#firing = true;
    try {
      for (;;) {
        const fn = this.#takeDue(endSeq);
        if (!fn) break;
        fired++;
        fn();
      }
      // Those that come meanwhile are run, too.
      for (const fn of this.#atTurnEnd) fn();
    } finally {
      this.#firing = false;
      clear(this.#atTurnEnd);
    }
    return fired;
  }
}
