/** Bounds of what an actor holds while the bus is away. */
const MESSAGES_MAX = 10_000;
const BYTES_MAX = 64 * 1024 * 1024;

interface Kept {
  readonly subject: string;
  readonly data: Uint8Array;
}

/** Messages that must not be lost while the bus is away: kept in order, bounded, sent when it is back. */
export class Outbox {
  readonly #kept: Kept[] = [];
  #bytes = 0;

  get size(): number {
    return this.#kept.length;
  }

  /** False when full: the message is not kept. */
  keep(subject: string, data: Uint8Array): boolean {
    if (this.#kept.length >= MESSAGES_MAX || this.#bytes + data.byteLength > BYTES_MAX) return false;
    this.#kept.push({ subject, data });
    this.#bytes += data.byteLength;
    return true;
  }

  /** Sends until `send` says false. */
  flush(send: (subject: string, data: Uint8Array) => boolean): void {
    let sent = 0;
    for (const { subject, data } of this.#kept) {
      if (!send(subject, data)) break;
      this.#bytes -= data.byteLength;
      sent++;
    }
    this.#kept.splice(0, sent);
  }
}
