import type { BusStatus, Cancel } from '../contracts/index.ts';

/** Listeners to the state of one connection. Each new one is told `connected` once, in a turn of its own, if so it is. */
export class StatusListeners {
  readonly #listeners = new Set<(status: BusStatus) => void>();
  readonly #connected: () => boolean;

  constructor(connected: () => boolean) {
    this.#connected = connected;
  }

  add(listener: (status: BusStatus) => void): Cancel {
    // A function of its own: the same listener may be added twice.
    const tell = (status: BusStatus): void => listener(status);
    this.#listeners.add(tell);
    void Promise.resolve().then(() => {
      if (this.#listeners.has(tell) && this.#connected()) tell('connected');
    });
    return () => void this.#listeners.delete(tell);
  }

  tell(status: BusStatus): void {
    for (const listener of this.#listeners) listener(status);
  }
}
