import {
  deadJournal,
  describeError,
  frameReader,
  framesJournal,
  frameSubjectsOf,
  GanglionError,
  isToken,
  resultsJournal,
  subjects,
  type Journal,
  type JournalEntry,
  type JournalReader,
} from '../../../contracts/index.ts';
import { readMessage } from '../../actor/index.ts';
import { keepPicture } from '../payload.ts';
import type { Query } from '../query.ts';
import type { RouterContext } from '../router.ts';
import * as trouble from '../trouble.ts';
import { StoredFrame, type Journals } from './frame.ts';

const RETRY_MS = 1000;

/** A durable query that is being read. */
interface Line {
  readonly query: Query;
  closed: boolean;
  journals: (Journals & { readonly frames: Journal }) | undefined;
  reader: JournalReader | undefined;
}

/**
 * Reads the stored frames of durable queries, shared with the other routers: each becomes a request, and is acknowledged when
 * its result is stored. What ends without an answer is tried again (see {@link courseOf}).
 */
export class DurableIntake {
  readonly #ctx: RouterContext;
  readonly #lines = new Map<string, Line>();
  readonly #held = new Set<StoredFrame>();
  #open = false;

  constructor(ctx: RouterContext) {
    this.#ctx = ctx;
  }

  open(): void {
    this.#open = true;
    this.follow();
  }

  /** Queries came, changed or went. */
  follow(): void {
    if (!this.#open) return;
    const wanted = new Map([...this.#ctx.state.catalog.queries()].filter(q => q.durable).map(q => [q.key, q]));
    for (const [key, line] of this.#lines) {
      if (wanted.get(key) === line.query) continue;
      this.#lines.delete(key);
      this.#ctx.spawn(`letting go of ${key}`, async () => this.#end(line, !wanted.has(key)));
    }
    for (const [key, query] of wanted) {
      if (this.#lines.has(key)) continue;
      const line: Line = { query, closed: false, journals: undefined, reader: undefined };
      this.#lines.set(key, line);
      this.#ctx.spawn(`reading stored frames for ${key}`, async () => this.#begin(line));
    }
  }

  /** What is under way is not offered to others meanwhile. */
  keepAlive(): void {
    for (const frame of this.#held) frame.working();
  }

  /** Takes no more; what is under way goes on to its end. */
  async close(): Promise<void> {
    this.#open = false;
    await Promise.all([...this.#lines.values()].map(async line => this.#end(line, false)));
  }

  async #begin(line: Line): Promise<void> {
    const { bus, prefix, log, config } = this.#ctx;
    const { tenant, name, streams } = line.query;
    const frameSubjects = frameSubjectsOf(prefix, tenant, streams);
    const open = async ({ name: journal, settings }: ReturnType<typeof deadJournal>): Promise<Journal> =>
      bus.journal(journal, settings);
    while (!line.closed) {
      try {
        const frames = await open(framesJournal(prefix, tenant, frameSubjects));
        const results = await open(resultsJournal(prefix, tenant, name));
        const dead = await open(deadJournal(prefix));
        line.journals = { frames, results, dead };
        const settings = frameReader(name, frameSubjects, config.durableHeldMax);
        const reader = await frames.read(settings, entry => this.#take(line, entry));
        if (line.closed) await reader.close();
        line.reader = reader;
        return;
      } catch (error) {
        if (!(error instanceof GanglionError)) throw error;
        log.warn('stored frames can not be read yet, trying again', {
          query: line.query.key,
          error: describeError(error),
        });
        await this.#pause();
      }
    }
  }

  /** `forget`: the query is gone; nobody waits for its frames. */
  async #end(line: Line, forget: boolean): Promise<void> {
    line.closed = true;
    await line.reader?.close();
    if (!forget) return;
    try {
      await line.journals?.frames.removeReader(line.query.name);
    } catch (error) {
      if (!(error instanceof GanglionError)) throw error;
      this.#ctx.log.warn('frames of a deleted query stay stored until they are too old', {
        query: line.query.key,
        error: describeError(error),
      });
    }
  }

  #take(line: Line, entry: JournalEntry): void {
    const { state: router, prefix } = this.#ctx;
    const { query } = line;
    const { stream } = subjects.frames.paramsOf(prefix, entry.subject);
    if (line.closed) return entry.retry(0);
    if (!isToken(stream) || !query.reads(stream)) return entry.ack();
    const stored = new StoredFrame(this.#ctx, line.journals!, { query, stream, entry }, () =>
      this.#held.delete(stored),
    );
    this.#held.add(stored);
    const frame = readMessage(subjects.frames, entry);
    if (frame instanceof GanglionError)
      return router.reject(query, { stream }, stored.ended, trouble.unreadable(frame, entry.data.byteLength));
    const { seq, meta } = frame;
    // Its age is told in the result; for what it may still take, each attempt has the whole objective.
    const payload = keepPicture(frame.picture);
    stored.agedMs += frame.ageMs ?? 0;
    router.accept(query, { stream, seq, ageMs: 0, payload, ...(meta ? { meta } : {}) }, stored.ended);
  }

  #pause(): Promise<void> {
    return new Promise(resolve => void this.#ctx.after(RETRY_MS, resolve));
  }
}
