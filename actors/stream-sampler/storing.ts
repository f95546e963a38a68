import { encode } from '../../bus/index.ts';
import {
  describeError,
  framesJournal,
  GanglionError,
  PayloadTooLargeError,
  randomId,
  subjects,
  type Bus,
  type Frame,
  type Journal,
  type Random,
} from '../../contracts/index.ts';
import type { Timers } from './sources/index.ts';

const RETRY_MS = 500;

interface StoringPorts {
  readonly bus: Bus;
  readonly prefix: string;
  readonly random: Random;
  readonly timers: Timers;
  /** Storage is away; told once per failure in a row. */
  warn(detail: string): void;
}

/** Publishes the frames of one stream, each until the journal has it. */
export class StoringPublisher {
  readonly #ports: StoringPorts;
  readonly #tenant: string;
  readonly #subject: string;
  /** Frames of an earlier process may have had the same numbers. */
  readonly #incarnation: string;
  #journal: Journal | undefined;

  constructor(tenant: string, stream: string, ports: StoringPorts) {
    this.#ports = ports;
    this.#tenant = tenant;
    this.#subject = subjects.frames.at(ports.prefix, { tenant, stream });
    this.#incarnation = randomId(ports.random, 6);
  }

  /** Resolves when the frame is stored, or with false when `wanted` says that nobody waits any more. @throws PayloadTooLargeError */
  async publish(frame: Frame, wanted: () => boolean): Promise<boolean> {
    const { bus, prefix, timers } = this.#ports;
    const { name, settings } = framesJournal(prefix, this.#tenant, [this.#subject]);
    const data = encode(frame);
    const id = `${this.#subject} ${this.#incarnation} ${frame.seq}`;
    for (let told = false; wanted(); ) {
      try {
        this.#journal ??= await bus.journal(name, settings);
        await this.#journal.append(this.#subject, data, { id });
        return true;
      } catch (error) {
        if (error instanceof PayloadTooLargeError || !(error instanceof GanglionError)) throw error;
        if (!told) this.#ports.warn(describeError(error));
        told = true;
        await new Promise<void>(resolve => void timers.after(RETRY_MS, resolve));
      }
    }
    return false;
  }
}
