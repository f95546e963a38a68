import type { Alarm, Cancel, Clock } from '../../contracts/index.ts';

/** The alarms of an actor; those that are set end with it. */
export class Alarms {
  readonly #clock: Pick<Clock, 'alarm'>;
  readonly #crash: (error: unknown) => void;
  /** Not a `Set`: one that lives long gets a new table again and again as alarms come and go, and each old one keeps what it held. */
  readonly #set: ActorAlarm[] = [];

  constructor(clock: Pick<Clock, 'alarm'>, crash: (error: unknown) => void) {
    this.#clock = clock;
    this.#crash = crash;
  }

  alarm(fn: () => void): Alarm {
    return new ActorAlarm(this.#clock, this.#set, fn, this.#crash);
  }

  after(delayMs: number, fn: () => void): Cancel {
    const alarm = this.alarm(fn);
    alarm.set(delayMs);
    return () => alarm.clear();
  }

  clear(): void {
    for (let last = this.#set.at(-1); last; last = this.#set.at(-1)) last.clear();
  }
}

class ActorAlarm implements Alarm {
  readonly #alarm: Alarm;
  /** All alarms of the actor that are set. */
  readonly #set: ActorAlarm[];
  /** Where it stands among them; -1: it is not set. */
  #place = -1;

  constructor(clock: Pick<Clock, 'alarm'>, set: ActorAlarm[], fn: () => void, crash: (error: unknown) => void) {
    this.#set = set;
    this.#alarm = clock.alarm(() => {
      this.#leave();
      try {
        fn();
      } catch (error) {
        crash(error);
      }
    });
  }

  set(delayMs: number): void {
    this.#alarm.set(delayMs);
    if (this.#place < 0) this.#place = this.#set.push(this) - 1;
  }

  clear(): void {
    this.#alarm.clear();
    this.#leave();
  }

  /** The last one takes its place. */
  #leave(): void {
    if (this.#place < 0) return;
    const last = this.#set.pop()!;
    if (last !== this) {
      last.#place = this.#place;
      this.#set[this.#place] = last;
    }
    this.#place = -1;
  }
}
