import { ConflictError, type Cancel, type KeyValue, type KeyValueEntry } from '../../contracts/index.ts';
import { assertKey } from '../keys.ts';
import { assertSubscribable, subjectMatches } from '../subject-match.ts';
import type { Storage, StorageUser } from './storage.ts';

/** The state of one bucket. */
export class Bucket {
  readonly name: string;
  /** The latest entry of each key, deleted ones too; replaced as a whole, never changed. */
  readonly entries = new Map<string, KeyValueEntry>();
  readonly watches = new Set<Watch>();
  #revision = 0;

  constructor(name: string) {
    this.name = name;
  }

  write(key: string, value: Uint8Array | undefined): number {
    const entry = { key, value, revision: ++this.#revision };
    this.entries.set(key, entry);
    for (const watch of this.watches) watch.see(entry);
    return entry.revision;
  }

  /** @throws ConflictError */
  assertRevision(key: string, expected: (entry: KeyValueEntry | undefined) => boolean): void {
    if (!expected(this.entries.get(key))) throw new ConflictError(this.name, key);
  }

  /** Watches (of one user) read again: what they missed is delivered. */
  catchUp(user?: StorageUser): void {
    for (const watch of this.watches) if (!user || watch.user === user) watch.catchUp();
  }

  clear(): void {
    this.entries.clear();
  }

  /** The answer brings back what is there now, and counts revisions from here again. */
  image(): () => void {
    const entries = [...this.entries];
    const revision = this.#revision;
    return () => {
      this.entries.clear();
      for (const [key, entry] of entries) this.entries.set(key, entry);
      this.#revision = revision;
    };
  }
}

/** One watcher: told of each change while it can be reached, of what differs when it can be again. */
class Watch {
  readonly user: StorageUser;
  readonly #filter: string;
  readonly #bucket: Bucket;
  readonly #storage: Storage;
  readonly #tell: (entry: KeyValueEntry) => void;
  /** Revision of each live key as told (or about to be). */
  readonly #known = new Map<string, number>();
  #ended = false;

  constructor(
    filter: string,
    bucket: Bucket,
    storage: Storage,
    user: StorageUser,
    tell: (entry: KeyValueEntry) => void,
  ) {
    this.user = user;
    this.#filter = filter;
    this.#bucket = bucket;
    this.#storage = storage;
    this.#tell = tell;
  }

  see(entry: KeyValueEntry): void {
    if (!subjectMatches(this.#filter, entry.key) || !this.#storage.reachable(this.user)) return;
    this.#deliver(entry);
  }

  catchUp(): void {
    if (!this.#storage.reachable(this.user)) return;
    const present = this.present();
    const keys = new Set(present.map(entry => entry.key));
    for (const key of this.#known.keys()) {
      const revision = this.#bucket.entries.get(key)?.revision ?? 0;
      if (!keys.has(key)) this.#deliver({ key, value: undefined, revision });
    }
    for (const entry of present) if (this.#known.get(entry.key) !== entry.revision) this.#deliver(entry);
  }

  /** What exists and matches, oldest change first. */
  present(): KeyValueEntry[] {
    return [...this.#bucket.entries.values()]
      .filter(entry => entry.value !== undefined && subjectMatches(this.#filter, entry.key))
      .sort((a, b) => a.revision - b.revision);
  }

  /** Runs `fn` after what is to be delivered already, in a turn of its own. */
  soon(fn: () => void): void {
    this.#storage.clock.after(0, () => {
      if (!this.#ended) fn();
    });
  }

  end(): void {
    this.#ended = true;
    this.#bucket.watches.delete(this);
  }

  #deliver(entry: KeyValueEntry): void {
    if (entry.value === undefined) this.#known.delete(entry.key);
    else this.#known.set(entry.key, entry.revision);
    const copy = { ...entry, value: entry.value && new Uint8Array(entry.value) };
    this.soon(() => this.#tell(copy));
  }
}

/** Values are copied on the way in and on the way out. */
export class LocalKeyValue implements KeyValue {
  readonly bucket: string;
  readonly #bucket: Bucket;
  readonly #storage: Storage;
  readonly #user: StorageUser;

  constructor(bucket: Bucket, storage: Storage, user: StorageUser) {
    this.bucket = bucket.name;
    this.#bucket = bucket;
    this.#storage = storage;
    this.#user = user;
  }

  async get(key: string): Promise<KeyValueEntry | undefined> {
    assertKey(key);
    return this.#run(key, () => {
      const entry = this.#bucket.entries.get(key);
      return entry?.value && { ...entry, value: new Uint8Array(entry.value) };
    });
  }

  async put(key: string, value: Uint8Array): Promise<number> {
    assertKey(key);
    const copy = new Uint8Array(value);
    return this.#run(key, () => this.#bucket.write(key, copy));
  }

  async create(key: string, value: Uint8Array): Promise<number> {
    return this.#writeIf(key, value, entry => entry?.value === undefined);
  }

  async update(key: string, value: Uint8Array, revision: number): Promise<number> {
    return this.#writeIf(key, value, entry => (entry?.revision ?? 0) === revision);
  }

  async delete(key: string, revision?: number): Promise<void> {
    await this.#writeIf(key, undefined, entry => revision === undefined || (entry?.revision ?? 0) === revision);
  }

  async keys(filter = '>'): Promise<string[]> {
    assertSubscribable(filter);
    return this.#run('keys', () =>
      [...this.#bucket.entries.values()]
        .filter(entry => entry.value !== undefined && subjectMatches(filter, entry.key))
        .map(entry => entry.key),
    );
  }

  async watch(
    filter: string,
    onEntry: (entry: KeyValueEntry) => void,
    options: { onReady?: () => void } = {},
  ): Promise<Cancel> {
    assertSubscribable(filter);
    return this.#run(`watch ${filter}`, () => {
      const watch = new Watch(filter, this.#bucket, this.#storage, this.#user, onEntry);
      this.#bucket.watches.add(watch);
      watch.catchUp();
      if (options.onReady) watch.soon(options.onReady);
      return () => watch.end();
    });
  }

  async #writeIf(
    key: string,
    value: Uint8Array | undefined,
    expected: (entry: KeyValueEntry | undefined) => boolean,
  ): Promise<number> {
    assertKey(key);
    const copy = value && new Uint8Array(value);
    return this.#run(key, () => {
      this.#bucket.assertRevision(key, expected);
      return this.#bucket.write(key, copy);
    });
  }

  async #run<T>(what: string, operate: () => T): Promise<T> {
    return this.#storage.run(this.#user, `bucket ${this.bucket}, ${what}`, operate);
  }
}
