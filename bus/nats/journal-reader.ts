import type { Consumer, ConsumerMessages, JsMsg } from 'nats';
import {
  describeError,
  sleep,
  type Cancel,
  type Headers,
  type JournalEntry,
  type JournalReader,
  type ReaderSettings,
} from '../../contracts/index.ts';
import { subjectMatches } from '../subject-match.ts';
import type { NatsBus } from './client.ts';
import { fromMsgHdrs } from './headers.ts';
import { MESSAGE_ID } from '../headers.ts';

/** A pull waits so long for messages; then the next one is sent. */
const PULL_MS = 5000;
const RETRY_MS = 1000;
/** After so many pulls that brought nothing it is made sure that the reader still exists. */
const EMPTY_PULLS_MAX = 6;

interface Reading {
  readonly bus: NatsBus;
  readonly journal: string;
  readonly reader: ReaderSettings;
  readonly open: () => Promise<Consumer>;
  /** Makes journal and reader again if they have vanished. */
  readonly ensure: () => Promise<void>;
  readonly deliver: (entry: JournalEntry) => void;
}

/** Pulls while there is room, until it or the bus is closed. */
export const startReading = (reading: Reading): JournalReader => new PullLoop(reading);

class PullLoop implements JournalReader {
  readonly #reading: Reading;
  readonly #ended: Promise<void>;
  readonly #forget: Cancel;
  #held = 0;
  #closed = false;
  /** The reader may be gone: look before the next pull. */
  #doubtful = false;
  #pull: ConsumerMessages | undefined;
  #wake: () => void = () => {};

  constructor(reading: Reading) {
    this.#reading = reading;
    this.#forget = reading.bus.onStatus(status => {
      if (status === 'closed') this.#stop();
      else if (status === 'disconnected') this.#doubtful = true;
      this.#wake();
    });
    this.#ended = this.#run();
  }

  async close(): Promise<void> {
    this.#stop();
    await this.#ended;
  }

  #stop(): void {
    this.#closed = true;
    this.#forget();
    this.#wake();
    this.#pull?.stop();
  }

  async #run(): Promise<void> {
    const { bus, reader, journal } = this.#reading;
    let consumer: Consumer | undefined;
    let empty = 0;
    while (!this.#closed) {
      const room = reader.heldMax - this.#held;
      if (room <= 0 || !bus.connected) {
        await new Promise<void>(resolve => (this.#wake = resolve));
        continue;
      }
      try {
        if (this.#doubtful || empty >= EMPTY_PULLS_MAX) {
          await this.#reading.ensure();
          consumer = undefined;
          this.#doubtful = false;
          empty = 0;
        }
        consumer ??= await this.#reading.open();
        const came = await this.#pullOnce(consumer, room);
        empty = came > 0 ? 0 : empty + 1;
      } catch (error) {
        if (this.#closed) return;
        bus.log.warn('a journal can not be read, trying again', {
          journal,
          reader: reader.name,
          error: describeError(error),
        });
        this.#doubtful = true;
        await sleep(bus.clock, RETRY_MS);
      }
    }
  }

  async #pullOnce(consumer: Consumer, room: number): Promise<number> {
    let came = 0;
    const pull = await consumer.fetch({ max_messages: room, expires: PULL_MS });
    this.#pull = pull;
    if (this.#closed) pull.stop();
    for await (const message of pull) {
      came++;
      this.#take(message);
    }
    this.#pull = undefined;
    return came;
  }

  #take(message: JsMsg): void {
    const { bus, reader, deliver } = this.#reading;
    if (!reader.subjects.some(subject => subjectMatches(subject, message.subject))) return message.ack();
    this.#held++;
    const entry = new NatsEntry(message, bus.clock.unixMs(), () => {
      this.#held--;
      this.#wake();
    });
    bus.guarded(message.subject, () => deliver(entry));
  }
}

class NatsEntry implements JournalEntry {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Headers | undefined;
  readonly id: string | undefined;
  readonly sequence: number;
  readonly attempt: number;
  readonly storedAtMs: number;
  readonly ageMs: number;
  readonly #message: JsMsg;
  readonly #letGo: () => void;
  #done = false;

  constructor(message: JsMsg, unixMs: number, letGo: () => void) {
    const { info } = message;
    this.subject = message.subject;
    this.data = new Uint8Array(message.data);
    this.headers = message.headers && fromMsgHdrs(message.headers);
    this.id = this.headers?.[MESSAGE_ID];
    this.sequence = message.seq;
    this.attempt = info.deliveryCount;
    this.storedAtMs = info.timestampNanos / 1e6;
    this.ageMs = Math.max(0, unixMs - this.storedAtMs);
    this.#message = message;
    this.#letGo = letGo;
  }

  ack(): void {
    this.#end(() => this.#message.ack());
  }

  retry(delayMs: number): void {
    this.#end(() => this.#message.nak(Math.max(0, Math.round(delayMs))));
  }

  working(): void {
    if (!this.#done) this.#message.working();
  }

  #end(tell: () => void): void {
    if (this.#done) return;
    this.#done = true;
    tell();
    this.#letGo();
  }
}
