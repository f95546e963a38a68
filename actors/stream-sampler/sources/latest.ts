import { SourceError } from '../../../contracts/index.ts';

interface Waiting<T> {
  readonly resolve: (value: T | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** Holds the latest picture until it is taken: a newer one replaces it, and the older is counted as missed. */
export class Latest<T> {
  #held: T | undefined;
  #end: { error: Error | undefined } | undefined;
  #waiting: Waiting<T> | undefined;
  #missed = 0;

  get missed(): number {
    return this.#missed;
  }

  get isFull(): boolean {
    return this.#held !== undefined;
  }

  put(value: T): void {
    if (this.#end) return;
    if (this.#waiting) {
      this.#settle(waiting => waiting.resolve(value));
      return;
    }
    if (this.#held !== undefined) this.#missed++;
    this.#held = value;
  }

  /** What is held is still given out before the end. */
  end(error?: Error): void {
    if (this.#end) return;
    this.#end = { error };
    this.#settle(waiting => (error ? waiting.reject(error) : waiting.resolve(undefined)));
  }

  take(): Promise<T | undefined> {
    const held = this.#held;
    if (held !== undefined) {
      this.#held = undefined;
      return Promise.resolve(held);
    }
    if (this.#end) return this.#end.error ? Promise.reject(this.#end.error) : Promise.resolve(undefined);
    if (this.#waiting) return Promise.reject(new SourceError('a picture is awaited already'));
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #settle(how: (waiting: Waiting<T>) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) how(waiting);
  }
}
