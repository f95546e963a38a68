/** A sampler that wasn't heard for so long is gone. */
const TIMEOUT_MS = 3000;

/** The other samplers, as far as they were heard lately. */
export class Peers {
  readonly #heardMs = new Map<string, number>();

  get names(): string[] {
    return [...this.#heardMs.keys()];
  }

  /** True when it was not known. */
  hear(peer: string, nowMs: number): boolean {
    const isNew = !this.#heardMs.has(peer);
    this.#heardMs.set(peer, nowMs);
    return isNew;
  }

  forget(peer: string): void {
    this.#heardMs.delete(peer);
  }

  /** While we are cut off nobody can be heard: that is no reason to take everything. */
  expire(nowMs: number, connected: boolean): void {
    for (const [peer, heardMs] of this.#heardMs) {
      if (!connected) this.#heardMs.set(peer, nowMs);
      else if (nowMs - heardMs > TIMEOUT_MS) this.#heardMs.delete(peer);
    }
  }
}
