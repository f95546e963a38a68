/** Runs tasks one after the other in the order of the calls. One that fails does not stop those behind it. */
export class Lane {
  #tail: Promise<unknown> = Promise.resolve();

  /** Resolves as `task` does, once everything added before has ended. */
  add<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task);
    this.#tail = result.catch(() => {});
    return result;
  }

  /** Resolves when all that was added so far has ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}
