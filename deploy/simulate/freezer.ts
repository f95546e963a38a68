import type { Bus, BusMessage, Clock } from '../../contracts/index.ts';

/**
 * What happens inside one process passes here: timers and messages. While it is frozen (SIGSTOP) they wait, and are taken up in the
 * order in which they came when it goes on.
 */
export class Freezer {
  #waiting: (() => void)[] = [];
  #frozen = false;

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const fn of waiting) this.pass(fn);
  }

  pass(fn: () => void): void {
    if (this.#frozen) this.#waiting.push(fn);
    else fn();
  }

  clock(inner: Clock): Clock {
    return {
      nowMs: () => inner.nowMs(),
      unixMs: () => inner.unixMs(),
      post: (delayMs, fn) => inner.post(delayMs, () => this.pass(fn)),
      atTurnEnd: fn => inner.atTurnEnd(fn),
      after: (delayMs, fn) => {
        let cancelled = false;
        const cancel = inner.after(delayMs, () => this.pass(() => cancelled || fn()));
        return () => {
          cancelled = true;
          cancel();
        };
      },
    };
  }

  /** Buckets are not held up: what a process learns from them it learns a little early. */
  bus(inner: Bus): Bus {
    const deliverLate = (deliver: (message: BusMessage) => void) => (message: BusMessage) =>
      this.pass(() => deliver(message));
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
}
