import { randomUUID } from 'node:crypto';
import { decode, realClock } from '../../bus/index.ts';
import {
  frameSubjectsOf,
  framesJournal,
  GanglionError,
  resultsJournal,
  sleep,
  type Bus,
  type Journal,
  type JournalReader,
  type QueryDocument,
  type Result,
} from '../../contracts/index.ts';

const AGAIN_MS = 250;
/** Frames tried at once; more are not taken. */
const UNDER_WAY_MAX = 2000;
const ACK_WAIT_MS = 30_000;

/** The journals of one durable query: frames are published until they are stored, and its results are read from where they are stored. */
export class Keeper {
  readonly #frames: Journal;
  readonly #results: Journal;
  readonly #readerName = `chaos-${randomUUID()}`;
  #reader: JournalReader | undefined;
  #underWay = 0;
  #closed = false;

  /** `hear`: each stored result with its place in the journal. @throws StorageUnavailableError */
  static async open(
    bus: Bus,
    { prefix, tenant }: { readonly prefix: string; readonly tenant: string },
    { name, streams = [] }: QueryDocument,
    hear: (result: Result, place: string) => void,
  ): Promise<Keeper> {
    const frames = framesJournal(prefix, tenant, frameSubjectsOf(prefix, tenant, streams));
    const results = resultsJournal(prefix, tenant, name);
    const keeper = new Keeper(
      await bus.journal(frames.name, frames.settings),
      await bus.journal(results.name, results.settings),
    );
    const reader = { subjects: results.settings.subjects, ackWaitMs: ACK_WAIT_MS, heldMax: 1000 };
    keeper.#reader = await keeper.#results.read({ name: keeper.#readerName, ...reader }, entry => {
      entry.ack();
      hear(decode(entry.data) as Result, String(entry.sequence));
    });
    return keeper;
  }

  private constructor(frames: Journal, results: Journal) {
    this.#frames = frames;
    this.#results = results;
  }

  /** Tries until it is stored, once: `id` tells repetitions. False when it was given up. */
  async store(subject: string, frame: Uint8Array, id: string): Promise<boolean> {
    if (this.#underWay >= UNDER_WAY_MAX) return false;
    this.#underWay++;
    try {
      while (!this.#closed) {
        try {
          await this.#frames.append(subject, frame, { id: `${this.#readerName} ${id}` });
          return true;
        } catch (error) {
          if (!(error instanceof GanglionError) || !error.retryable) throw error;
          await sleep(realClock, AGAIN_MS);
        }
      }
      return false;
    } finally {
      this.#underWay--;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#reader?.close();
    await this.#results.removeReader(this.#readerName).catch(() => {}); // it only takes space
  }
}
