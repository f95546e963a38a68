import { clear, type Alarm } from '../../contracts/index.ts';
import { IdLists, NO_ID } from './id-lists.ts';

/** Alarms go off at whole multiples of this, so at most so much late: with many of them a timer for each would cost more than it is worth. */
const GRAIN_MS = 1;
/** Who sleeps longer than {@link SLOTS} grains is looked at when so many have passed. A power of two. */
const SLOTS = 2048;
/** Not in any slot. */
export const NO_TICK = -1;

/** Something that wants to be woken at `wakeAtMs` (Infinity: never). `alarmTick` is the alarm clock's own note, {@link NO_TICK} at first. */
export interface Sleeper {
  readonly id: number;
  wakeAtMs: number;
  alarmTick: number;
}

/**
 * One timer for all sleepers, who wait in slots by the grain of time at which they are to be woken. Nothing is searched or sorted. Waking
 * later costs nothing (a sleeper is put off when its slot comes up), waking earlier leaves a stale entry behind. A slot holds ids: whoever is
 * gone when it comes up is neither kept until then nor looked at.
 */
export class AlarmClock<T extends Sleeper> {
  readonly #slots = new IdLists(SLOTS);
  /** Those whose slot has come up. */
  readonly #due: T[] = [];
  readonly #nowMs: () => number;
  readonly #alarmOf: (fn: () => void) => Alarm;
  #alarm: Alarm | undefined;
  readonly #find: (id: number) => T | undefined;
  readonly #wake: (sleeper: T) => void;
  /** All slots up to this grain, counted from time 0, are empty. */
  #tick = 0;
  /** The first grain whose slot isn't empty; Infinity: all are. */
  #armedFor = Infinity;

  /** `find`: who lives under an id; one of its own for each sleeper. */
  constructor(around: {
    nowMs: () => number;
    alarm: (fn: () => void) => Alarm;
    find: (id: number) => T | undefined;
    wake: (sleeper: T) => void;
  }) {
    this.#nowMs = around.nowMs;
    this.#alarmOf = around.alarm;
    this.#find = around.find;
    this.#wake = around.wake;
  }

  /** Makes sure that the sleeper is woken at its `wakeAtMs`. */
  set(sleeper: T): void {
    const wanted = Math.ceil(sleeper.wakeAtMs / GRAIN_MS);
    if (sleeper.alarmTick !== NO_TICK && wanted >= sleeper.alarmTick) return;
    if (wanted === Infinity) return;
    const nowMs = this.#nowMs();
    this.#tick = Math.max(this.#tick, Math.min(Math.floor(nowMs / GRAIN_MS), this.#armedFor - 1));
    const tick = Math.max(this.#tick + 1, Math.min(wanted, this.#tick + SLOTS - 1));
    sleeper.alarmTick = tick;
    this.#slots.push(tick % SLOTS, sleeper.id);
    if (tick < this.#armedFor) this.#arm(tick, nowMs);
  }

  #arm(tick: number, nowMs: number): void {
    this.#armedFor = tick;
    this.#alarm ??= this.#alarmOf(() => this.#ring());
    this.#alarm.set(Math.max(0, tick * GRAIN_MS - nowMs));
  }

  #ring(): void {
    const nowMs = this.#nowMs();
    const first = this.#armedFor;
    const last = Math.max(first, Math.floor(nowMs / GRAIN_MS));
    const due = this.#due;
    for (let tick = first; tick <= last && tick < first + SLOTS; tick++) this.#empty(tick, due);
    // Nobody arms the timer while the slots are gone through.
    this.#tick = this.#armedFor = last;
    for (const sleeper of due) {
      if (sleeper.wakeAtMs <= nowMs) this.#wake(sleeper);
      else this.set(sleeper);
    }
    clear(due);
    this.#armedFor = Infinity;
    for (let tick = last + 1; tick < last + SLOTS; tick++)
      if (!this.#slots.isEmpty(tick % SLOTS)) return this.#arm(tick, nowMs);
  }

  /** Those who are to be woken at no other time than this, into `due`. */
  #empty(tick: number, due: T[]): void {
    const slot = tick % SLOTS;
    for (let id = this.#slots.shift(slot); id !== NO_ID; id = this.#slots.shift(slot)) {
      const sleeper = this.#find(id);
      if (sleeper?.alarmTick !== tick) continue;
      sleeper.alarmTick = NO_TICK;
      due.push(sleeper);
    }
  }
}
