const now = Promise.resolve();

/**
 * Gathers what is asked for in one turn of the event loop: however often the answer is called, `run` runs once, when the
 * code now running has returned (a microtask: no delay, and the same order in every replay).
 */
export function coalesce(run: () => void): () => void {
  let pending = false;
  const turn = (): void => {
    pending = false;
    run();
  };
  return () => {
    if (pending) return;
    pending = true;
    // queueMicrotask of Node makes an object to trace each call by. What `run` throws ends the process here, too.
    void now.then(turn);
  };
}
