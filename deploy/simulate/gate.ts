import { alarmOn, type Bus, type BusMessage, type Clock } from '../../contracts/index.ts';

/**
 * What happens inside one process passes here. A frozen process (SIGSTOP) takes it up in the order in which it came when it is
 * thawed; a dead one never does.
 */
export class Gate {
  readonly #clock: Clock;
  #waiting: (() => void)[] = [];
  #state: 'open' | 'frozen' | 'thawing' | 'dead' = 'open';
  /** When it was thawed for the last time. */
  thawedAtMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get frozen(): boolean {
    return this.#state === 'frozen' || this.#state === 'thawing';
  }

  get dead(): boolean {
    return this.#state === 'dead';
  }

  pass(fn: () => void): void {
    if (this.#state === 'open') fn();
    else if (this.#state !== 'dead') this.#waiting.push(fn);
  }

  /** The same outcome, when the process can see it. */
  async<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      work.then(
        value => this.pass(() => resolve(value)),
        (error: unknown) => this.pass(() => reject(error)),
      );
    });
  }

  freeze(): void {
    if (this.#state !== 'dead') this.#state = 'frozen';
  }

  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'thawing';
    this.#clock.after(0, () => this.#next());
  }

  die(): void {
    this.#state = 'dead';
    this.#waiting = [];
  }

  /** One by one, each in a turn of its own, so that what comes meanwhile queues up behind. */
  #next(): void {
    if (this.#state !== 'thawing') return;
    const fn = this.#waiting.shift();
    if (!fn) {
      this.#state = 'open';
      this.thawedAtMs = this.#clock.nowMs();
      return;
    }
    fn();
    this.#clock.after(0, () => this.#next());
  }
}

/** The clock of one process: it may run at a rate of its own (1.02: 2 % fast) from an origin of its own. */
export function processClock(base: Clock, gate: Gate, { rate, originMs } = { rate: 1, originMs: 0 }): Clock {
  const clock: Clock = {
    nowMs: () => originMs + base.nowMs() * rate,
    unixMs: () => base.unixMs(),
    post: (delayMs, fn) => base.post(delayMs / rate, () => gate.pass(fn)),
    atTurnEnd: fn => base.atTurnEnd(fn),
    alarm: fn => alarmOn((delayMs, ring) => clock.after(delayMs, ring), fn),
    after: (delayMs, fn) => {
      let cancelled = false;
      const cancel = base.after(delayMs / rate, () => gate.pass(() => cancelled || fn()));
      return () => {
        cancelled = true;
        cancel();
      };
    },
  };
  return clock;
}

/** A bus whose messages pass the gate. Buckets are not held up: what a process learns from them it learns a little early. */
export function gatedBus(inner: Bus, gate: Gate): Bus {
  const deliverLate = (deliver: (message: BusMessage) => void) => (message: BusMessage) =>
    gate.pass(() => deliver(message));
  return new Proxy(inner, {
    get: (target, name) => {
      if (name === 'subscribe') {
        const subscribe: Bus['subscribe'] = (subject, deliver, options) =>
          target.subscribe(subject, deliverLate(deliver), options);
        return subscribe;
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
