/** Runs tasks one after the other in the order of the calls. One that fails does not stop those behind it. */
export class Lane {
  /** Who comes next, in order; undefined: the lane is free. */
  #waiting: ((leave: () => void) => void)[] | undefined;

  /** Resolves as `task` does, once everything added before has ended. */
  add<T>(task: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) =>
      this.enter(leave => {
        const ended = task();
        ended.then(leave, leave);
        ended.then(resolve, reject);
      }),
    );
  }

  /** Calls `task` when everything before it has ended: at once where nothing is there. It must call `leave`, once, and not throw. */
  enter(task: (leave: () => void) => void): void {
    if (this.#waiting) this.#waiting.push(task);
    else {
      this.#waiting = [];
      task(this.#leave);
    }
  }

  /** Resolves when all that was added so far has ended. */
  idle(): Promise<void> {
    return new Promise(resolve =>
      this.enter(leave => {
        leave();
        resolve();
      }),
    );
  }

  readonly #leave = (): void => {
    const next = this.#waiting?.shift();
    if (next) next(this.#leave);
    else this.#waiting = undefined;
  };
}
