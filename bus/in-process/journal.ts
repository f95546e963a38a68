import {
  StorageUnavailableError,
  type Cancel,
  type Clock,
  type Headers,
  type Journal,
  type JournalEntry,
  type JournalReader,
  type JournalSettings,
  type ReaderSettings,
} from '../../contracts/index.ts';
import { MESSAGE_ID } from '../headers.ts';
import { assertBucket } from '../keys.ts';
import { assertPublishable, subjectCovers, subjectMatches } from '../subject-match.ts';
import type { Storage, StorageUser } from './storage.ts';

/** What a publisher sent, as the server stores it. */
export interface Stored {
  readonly subject: string;
  /** Never written to. */
  readonly data: Uint8Array;
  readonly headers: Headers | undefined;
}

/** What became of a message: `full`: not stored. */
export type StoreOutcome = 'stored' | 'duplicate' | 'full';

interface Kept extends Stored {
  readonly sequence: number;
  readonly storedAtMs: number;
  readonly storedAtUnixMs: number;
  readonly bytes: number;
  /** Readers that have not acknowledged it; `until-read` only. */
  readonly awaits: Set<ReaderState>;
}

/** The messages of one journal, and how far its readers are. Shared by all clients of the network. */
export class JournalState {
  readonly name: string;
  readonly incarnation: string;
  readonly clock: Clock;
  readonly #storage: Storage;
  readonly #settings: JournalSettings;
  readonly #readers = new Map<string, ReaderState>();
  readonly #kept = new Map<number, Kept>();
  /** Id → until when it is remembered. */
  readonly #ids = new Map<string, number>();
  #subjects: readonly string[] = [];
  #sequence = 0;
  #bytes = 0;

  constructor(name: string, incarnation: string, settings: JournalSettings, storage: Storage) {
    this.name = name;
    this.incarnation = incarnation;
    this.clock = storage.clock;
    this.#storage = storage;
    this.#settings = settings;
  }

  cover(subjects: readonly string[]): void {
    this.#subjects = [...new Set([...this.#subjects, ...subjects])];
  }

  takes(subject: string): boolean {
    return this.#subjects.some(pattern => subjectMatches(pattern, subject));
  }

  overlaps(subjects: readonly string[]): boolean {
    return this.#subjects.some(own => subjects.some(other => subjectCovers(own, other) || subjectCovers(other, own)));
  }

  store(message: Stored): StoreOutcome {
    const nowMs = this.clock.nowMs();
    this.#forgetOld(nowMs);
    const id = message.headers?.[MESSAGE_ID];
    if (id !== undefined && this.#ids.has(id)) return 'duplicate';
    const bytes = message.data.byteLength;
    const { keep, maxBytes, dedupeMs } = this.#settings;
    if (keep === 'until-read' && this.#bytes + bytes > maxBytes) return 'full';
    if (id !== undefined) this.#ids.set(id, nowMs + dedupeMs);
    const awaits = new Set([...this.#readers.values()].filter(reader => reader.wants(message.subject)));
    const { subject, data, headers } = message;
    const times = { storedAtMs: nowMs, storedAtUnixMs: this.clock.unixMs() };
    const entry: Kept = { subject, data, headers, sequence: ++this.#sequence, ...times, bytes, awaits };
    if (keep === 'until-read' && awaits.size === 0) return 'stored';
    this.#kept.set(entry.sequence, entry);
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= maxBytes) break;
      this.#drop(oldest);
    }
    for (const reader of awaits) reader.queue(entry);
    return 'stored';
  }

  reader(settings: ReaderSettings): ReaderState {
    let reader = this.#readers.get(settings.name);
    if (!reader) this.#readers.set(settings.name, (reader = new ReaderState(this, this.#storage)));
    reader.subjects = settings.subjects;
    return reader;
  }

  removeReader(name: string): void {
    const reader = this.#readers.get(name);
    this.#readers.delete(name);
    if (reader) for (const entry of this.#kept.values()) this.acknowledged(entry, reader);
  }

  has(entry: Kept): boolean {
    return this.#kept.get(entry.sequence) === entry;
  }

  acknowledged(entry: Kept, reader: ReaderState): void {
    entry.awaits.delete(reader);
    if (entry.awaits.size === 0 && this.#settings.keep === 'until-read' && this.has(entry)) this.#drop(entry.sequence);
  }

  /** The answer takes messages and acknowledgements back to now, as a power failure can; readers stay. */
  image(): () => void {
    const kept = [...this.#kept.values()].map(entry => ({ ...entry, awaits: new Set(entry.awaits) }));
    const ids = [...this.#ids];
    const [sequence, bytes] = [this.#sequence, this.#bytes];
    return () => {
      this.#kept.clear();
      this.#ids.clear();
      for (const entry of kept) this.#kept.set(entry.sequence, entry);
      for (const [id, untilMs] of ids) this.#ids.set(id, untilMs);
      [this.#sequence, this.#bytes] = [sequence, bytes];
      for (const reader of this.#readers.values()) reader.restart(kept.filter(({ awaits }) => awaits.has(reader)));
    };
  }

  /** Storage or a client is back. */
  catchUp(): void {
    for (const reader of this.#readers.values()) reader.serve();
  }

  #drop(sequence: number): void {
    this.#bytes -= this.#kept.get(sequence)?.bytes ?? 0;
    this.#kept.delete(sequence);
  }

  #forgetOld(nowMs: number): void {
    for (const [id, untilMs] of this.#ids) {
      if (untilMs > nowMs) break;
      this.#ids.delete(id);
    }
    for (const { sequence, storedAtMs } of this.#kept.values()) {
      if (nowMs - storedAtMs <= this.#settings.maxAgeMs) break;
      this.#drop(sequence);
    }
  }
}

/** Who has a reader open. */
interface Opened {
  readonly user: StorageUser;
  readonly settings: ReaderSettings;
  readonly deliver: (entry: JournalEntry) => void;
  held: number;
  open: boolean;
}

/** One reader of a journal: what waits for it, and what is out. */
class ReaderState {
  subjects: readonly string[] = [];
  readonly #journal: JournalState;
  readonly #storage: Storage;
  #waiting: { readonly entry: Kept; readonly attempt: number }[] = [];
  #opened: Opened[] = [];

  constructor(journal: JournalState, storage: Storage) {
    this.#journal = journal;
    this.#storage = storage;
  }

  wants(subject: string): boolean {
    return this.subjects.some(pattern => subjectMatches(pattern, subject));
  }

  open(opened: Opened): void {
    this.#opened.push(opened);
    this.serve();
  }

  close(opened: Opened): void {
    this.#opened = this.#opened.filter(other => other !== opened);
  }

  queue(entry: Kept, attempt = 1): void {
    this.#waiting.push({ entry, attempt });
    this.serve();
  }

  /** These are what there is for it now; what is out is forgotten. */
  restart(entries: readonly Kept[]): void {
    this.#waiting = entries.map(entry => ({ entry, attempt: 1 }));
    this.serve();
  }

  /** Gives out what waits, by turns, to whoever has room and can be reached. */
  serve(): void {
    while (this.#waiting.length > 0) {
      const index = this.#opened.findIndex(one => one.held < one.settings.heldMax && this.#storage.reachable(one.user));
      const to = this.#opened[index];
      if (!to) return;
      this.#opened = [...this.#opened.slice(index + 1), ...this.#opened.slice(0, index + 1)];
      const { entry, attempt } = this.#waiting.shift()!;
      if (this.#journal.has(entry)) this.#give(entry, attempt, to);
    }
  }

  #give(kept: Kept, attempt: number, to: Opened): void {
    const { clock } = this.#journal;
    let state: 'out' | 'returned' | 'done' = 'out';
    let cancel: Cancel = () => {};
    const comeAgain = (delayMs: number): void => {
      cancel();
      cancel = clock.after(delayMs, () => {
        state = 'returned';
        this.queue(kept, attempt + 1);
      });
    };
    to.held++;
    comeAgain(to.settings.ackWaitMs);
    let held = true;
    const letGo = (): void => {
      if (held) to.held--;
      held = false;
      this.serve();
    };
    const reached = (): boolean => state === 'out' && this.#storage.reachable(to.user);
    const entry: JournalEntry = {
      subject: kept.subject,
      data: new Uint8Array(kept.data),
      headers: kept.headers,
      id: kept.headers?.[MESSAGE_ID],
      sequence: kept.sequence,
      storedAtMs: kept.storedAtUnixMs,
      attempt,
      ageMs: clock.nowMs() - kept.storedAtMs,
      ack: () => {
        if (reached()) {
          state = 'done';
          cancel();
          this.#journal.acknowledged(kept, this);
        }
        letGo();
      },
      retry: delayMs => {
        if (reached()) comeAgain(Math.max(0, delayMs));
        letGo();
      },
      working: () => {
        if (held && reached()) comeAgain(to.settings.ackWaitMs);
      },
    };
    clock.after(0, () => {
      // A closed reader takes nothing: it goes to another one once its time is over.
      if (to.open && this.#storage.reachable(to.user)) to.deliver(entry);
      else letGo();
    });
  }
}

/** A client's view of a journal. */
export class LocalJournal implements Journal {
  readonly name: string;
  readonly #state: JournalState;
  readonly #storage: Storage;
  readonly #user: StorageUser;
  readonly #publish: (subject: string, data: Uint8Array, headers: Headers | undefined) => StoreOutcome | undefined;

  constructor(
    state: JournalState,
    storage: Storage,
    user: StorageUser,
    publish: (subject: string, data: Uint8Array, headers: Headers | undefined) => StoreOutcome | undefined,
  ) {
    this.name = state.name;
    this.#state = state;
    this.#storage = storage;
    this.#user = user;
    this.#publish = publish;
  }

  get incarnation(): string {
    return this.#state.incarnation;
  }

  async append(subject: string, data: Uint8Array, options: { id?: string } = {}): Promise<{ duplicate: boolean }> {
    assertPublishable(subject);
    const copy = new Uint8Array(data);
    return this.#storage.run(this.#user, `journal ${this.name}, append to ${subject}`, () => {
      const { id } = options;
      const outcome = this.#publish(subject, copy, id === undefined ? undefined : { [MESSAGE_ID]: id });
      if (!outcome) throw new StorageUnavailableError(`journal ${this.name} does not store ${subject}`);
      if (outcome === 'full') throw new StorageUnavailableError(`journal ${this.name} is full`);
      return { duplicate: outcome === 'duplicate' };
    });
  }

  async addReader(settings: ReaderSettings): Promise<void> {
    assertBucket(settings.name);
    await this.#storage.run(this.#user, `journal ${this.name}, reader ${settings.name}`, () =>
      this.#state.reader(settings),
    );
  }

  async read(settings: ReaderSettings, deliver: (entry: JournalEntry) => void): Promise<JournalReader> {
    assertBucket(settings.name);
    return this.#storage.run(this.#user, `journal ${this.name}, reader ${settings.name}`, () => {
      const reader = this.#state.reader(settings);
      const opened: Opened = { user: this.#user, settings, deliver, held: 0, open: true };
      reader.open(opened);
      return {
        close: async () => {
          opened.open = false;
          reader.close(opened);
        },
      };
    });
  }

  async removeReader(name: string): Promise<void> {
    await this.#storage.run(this.#user, `journal ${this.name}, remove reader ${name}`, () =>
      this.#state.removeReader(name),
    );
  }
}
