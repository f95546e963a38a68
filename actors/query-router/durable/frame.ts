import { encode } from '../../../bus/index.ts';
import {
  describeError,
  GanglionError,
  PayloadTooLargeError,
  subjects,
  type DeadLetter,
  type Journal,
  type JournalEntry,
  type Result,
  type Subject,
} from '../../../contracts/index.ts';
import { withoutOutputs } from '../results.ts';
import type { Query } from '../query.ts';
import type { RouterContext } from '../router.ts';
import { courseOf } from './course.ts';

const RETRY_MS = 1000;

export interface Journals {
  readonly results: Journal;
  readonly dead: Journal;
  readonly frames: Pick<Journal, 'name' | 'incarnation'>;
}

/** One stored frame for one durable query, from its delivery until it is acknowledged or given back. */
export class StoredFrame {
  /** Before this attempt began: in the journal, and before it was published. */
  agedMs: number;
  readonly #ctx: RouterContext;
  readonly #journals: Journals;
  readonly #query: Query;
  readonly #stream: string;
  readonly #entry: JournalEntry;
  readonly #letGo: () => void;

  constructor(
    ctx: RouterContext,
    journals: Journals,
    of: { query: Query; stream: string; entry: JournalEntry },
    letGo: () => void,
  ) {
    this.#ctx = ctx;
    this.#journals = journals;
    this.#query = of.query;
    this.#stream = of.stream;
    this.#entry = of.entry;
    this.#letGo = letGo;
    this.agedMs = of.entry.ageMs;
  }

  /** In the journal: no other frame's, also where a power failure made it give a sequence out twice. */
  get #place(): string {
    const { sequence, storedAtMs } = this.#entry;
    return `${sequence}-${Math.round(storedAtMs).toString(36)}`;
  }

  working(): void {
    this.#entry.working();
  }

  /** The attempt is over. */
  readonly ended = (said: Result): void => {
    const { attempt } = this.#entry;
    const course = courseOf(said, attempt);
    if (course.go === 'again') {
      this.#entry.retry(course.inMs);
      this.#letGo();
      return;
    }
    const result = this.#asOfStorage(said);
    this.#ctx.spawn('storing a result', async () => this.#finish(result, course.go === 'bury'));
  };

  /** The same name and the whole latency, whichever router tried it how often. */
  #asOfStorage(said: Result): Result {
    const { attempt } = this.#entry;
    const latencyMs = said.latencyMs + this.agedMs;
    const late = said.outcome === 'ok' && latencyMs > said.objectiveMs;
    const request = `${this.#journals.frames.name}-${this.#place}-${this.#query.name}`;
    return { ...said, request, latencyMs, attempt, ...(late ? { outcome: 'late' as const } : {}) };
  }

  /** Stores what there is to tell, however long that takes, then acknowledges the frame. Twice stored is stored once. */
  async #finish(result: Result, bury: boolean): Promise<void> {
    // A publisher that had no answer repeats itself: then two stored frames are one.
    const { id: given, subject } = this.#entry;
    const frame = given === undefined ? `${this.#journals.frames.incarnation} ${this.#place}` : `id ${given}`;
    const id = `${this.#query.key} ${subject} ${frame}`;
    try {
      const { results, dead } = this.#journals;
      if (bury) await this.#store(dead, id, subjects.dead, tooLarge => this.#deadLetter(result, !tooLarge));
      await this.#store(results, id, subjects.results, tooLarge =>
        tooLarge ? withoutOutputs(result, tooLarge) : result,
      );
      this.#entry.ack();
    } finally {
      this.#letGo();
    }
  }

  #deadLetter(result: Result, whole: boolean): DeadLetter {
    const { subject, sequence, data } = this.#entry;
    return { v: 1, result, subject, sequence, bytes: data.byteLength, ...(whole ? { data } : {}) };
  }

  /** Until it succeeds. @param message what to say, and what instead where that doesn't fit into a message */
  async #store<M>(
    journal: Journal,
    id: string,
    subject: Subject<'results.{tenant}.{query}.{stream}' | 'dead.{tenant}.{query}.{stream}', M, never>,
    message: (tooLarge: PayloadTooLargeError | undefined) => M,
  ): Promise<void> {
    const { tenant, name: query } = this.#query;
    const to = subject.at(this.#ctx.prefix, { tenant, query, stream: this.#stream });
    for (let tooLarge: PayloadTooLargeError | undefined; ; ) {
      try {
        await journal.append(to, encode(message(tooLarge)), { id });
        return;
      } catch (error) {
        if (!(error instanceof GanglionError)) throw error;
        if (error instanceof PayloadTooLargeError && !tooLarge) {
          tooLarge = error;
          continue;
        }
        this.#ctx.log.warn('a result can not be stored yet, trying again', {
          subject: to,
          error: describeError(error),
        });
        await new Promise<void>(resolve => void this.#ctx.after(RETRY_MS, resolve));
      }
    }
  }
}
