import type { Eventual } from './device.ts';

/** Something that will be there and does not fail: who waits for it is called in the turn in which it comes, at once when it is there. */
export class Later<T> implements Eventual<T> {
  #come: { readonly value: T } | undefined;
  #waiting: ((value: T) => void)[] = [];

  // oxlint-disable-next-line unicorn/no-thenable -- it is meant to be awaited
  then(done: (value: T) => void): void {
    if (this.#come) done(this.#come.value);
    else this.#waiting.push(done);
  }

  /** Called once. */
  comes(value: T): void {
    this.#come = { value };
    for (const done of this.#waiting) done(value);
    this.#waiting = [];
  }
}
