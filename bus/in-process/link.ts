import type { Clock } from '../../contracts/index.ts';

/** One message on its way between two clients. */
export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly bytes: number;
}

/**
 * What a link does to a packet: one delay (ms, >= 0) for each copy that arrives. `[]` loses it, `[1, 5]` delivers it twice.
 * It is asked when the packet is sent. Order between two clients is kept whatever the delays: a packet never overtakes.
 */
export type LinkPolicy = (packet: Packet) => readonly number[];

/** What travels on a link: told to go, or that it is gone. */
export interface Cargo {
  readonly bytes: number;
  /** What comes behind it on the same link: the link's own note. */
  behind: Cargo | undefined;
  arrive(): void;
  lost(): void;
}

/** One direction between two clients: first in, first out. */
export class Link {
  readonly #clock: Clock;
  readonly #bytesMax: number;
  #first: Cargo | undefined;
  #last: Cargo | undefined;
  #bytes = 0;
  #lastDueMs = 0;

  constructor(clock: Clock, bytesMax: number) {
    this.#clock = clock;
    this.#bytesMax = bytesMax;
  }

  /** False when more is under way than the receiver may owe: the cargo is lost. */
  send(cargo: Cargo, delayMs: number): boolean {
    if (this.#bytes + cargo.bytes > this.#bytesMax) {
      cargo.lost();
      return false;
    }
    const nowMs = this.#clock.nowMs();
    this.#lastDueMs = Math.max(this.#lastDueMs, nowMs + delayMs);
    if (this.#last) this.#last.behind = cargo;
    else this.#first = cargo;
    this.#last = cargo;
    this.#bytes += cargo.bytes;
    this.#clock.post(this.#lastDueMs - nowMs, this.#deliverFirst);
    return true;
  }

  /** Loses all that is under way; nothing may be sent any more. */
  cut(): void {
    let lost = this.#first;
    this.#first = this.#last = undefined;
    this.#bytes = 0;
    while (lost) {
      const { behind } = lost;
      lost.behind = undefined;
      lost.lost();
      lost = behind;
    }
  }

  /** A timer delivers whatever is first in line, so that timers that fire out of order don't change the order. */
  readonly #deliverFirst = (): void => {
    const cargo = this.#first;
    if (!cargo) return; // cut meanwhile
    this.#first = cargo.behind;
    if (!this.#first) this.#last = undefined;
    cargo.behind = undefined;
    this.#bytes -= cargo.bytes;
    cargo.arrive();
  };
}
