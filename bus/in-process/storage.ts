import {
  ConfigError,
  sleep,
  StorageUnavailableError,
  type Clock,
  type JournalSettings,
  type KeyValue,
  type ObjectStore,
} from '../../contracts/index.ts';
import { assertBucket } from '../keys.ts';
import { JournalState, type Stored, type StoreOutcome } from './journal.ts';
import { Bucket, LocalKeyValue } from './key-value.ts';
import { LocalObjectStore } from './object-store.ts';

/** Who uses storage: a client that may be cut off. */
export interface StorageUser {
  /** @throws StorageUnavailableError */
  assertStorage(what: string): void;
}

/** The buckets of a network, shared by its clients. */
export class Storage {
  readonly clock: Clock;
  readonly #latencyMs: number;
  readonly #buckets = new Map<string, { bucket: Bucket; memory: boolean }>();
  readonly #objects = new Map<string, Map<string, Uint8Array>>();
  readonly #journals = new Map<string, JournalState>();
  #available = true;

  constructor(clock: Clock, latencyMs: number) {
    this.clock = clock;
    this.#latencyMs = latencyMs;
  }

  get available(): boolean {
    return this.#available;
  }

  setAvailable(available: boolean): void {
    this.#available = available;
    for (const { bucket } of this.#buckets.values()) bucket.catchUp();
    for (const journal of this.#journals.values()) journal.catchUp();
  }

  /** A client came or went: its watches read again. */
  connectionChanged(user: StorageUser): void {
    for (const { bucket } of this.#buckets.values()) bucket.catchUp(user);
    for (const journal of this.#journals.values()) journal.catchUp();
  }

  loseMemory(): void {
    for (const { bucket, memory } of this.#buckets.values()) if (memory) bucket.clear();
  }

  /** The answer takes all buckets back to now (those made later will be empty), and the journals and object stores that are named. */
  image(): (loses?: (name: string) => boolean) => void {
    const buckets = new Map([...this.#buckets].map(([name, { bucket }]) => [name, bucket.image()]));
    const others = [
      ...[...this.#journals].map(([name, journal]) => ({ name, restore: journal.image() })),
      ...[...this.#objects].map(([name, objects]) => ({ name, restore: imageOf(objects) })),
    ];
    return (loses = () => false) => {
      for (const [name, { bucket }] of this.#buckets) (buckets.get(name) ?? (() => bucket.clear()))();
      for (const { name, restore } of others) if (loses(name)) restore();
    };
  }

  /** One operation: takes its time, then happens at once, or not at all. @throws StorageUnavailableError */
  async run<T>(user: StorageUser, what: string, operate: () => T): Promise<T> {
    if (this.#latencyMs > 0) await sleep(this.clock, this.#latencyMs);
    this.check(user, what);
    return operate();
  }

  /** @throws StorageUnavailableError */
  check(user: StorageUser, what: string): void {
    user.assertStorage(what);
    if (!this.#available) throw new StorageUnavailableError(`${what}: storage (JetStream) is not available`);
  }

  reachable(user: StorageUser): boolean {
    try {
      this.check(user, '');
      return true;
    } catch {
      return false;
    }
  }

  async keyValue(user: StorageUser, name: string, options: { memory?: boolean }): Promise<KeyValue> {
    assertBucket(name);
    return this.run(user, `bucket ${name}`, () => {
      let entry = this.#buckets.get(name);
      if (!entry) this.#buckets.set(name, (entry = { bucket: new Bucket(name), memory: options.memory ?? false }));
      return new LocalKeyValue(entry.bucket, this, user);
    });
  }

  async objectStore(user: StorageUser, name: string): Promise<ObjectStore> {
    assertBucket(name);
    return this.run(user, `object store ${name}`, () => {
      let objects = this.#objects.get(name);
      if (!objects) this.#objects.set(name, (objects = new Map()));
      return new LocalObjectStore(name, objects, this, user);
    });
  }

  async journal(user: StorageUser, name: string, settings: JournalSettings): Promise<JournalState> {
    assertBucket(name);
    return this.run(user, `journal ${name}`, () => {
      for (const other of this.#journals.values()) {
        if (other.name === name || !other.overlaps(settings.subjects)) continue;
        throw new ConfigError(`journal ${name}: ${other.name} stores some of ${settings.subjects.join(', ')}`);
      }
      let journal = this.#journals.get(name);
      if (!journal) this.#journals.set(name, (journal = new JournalState(name, `${name}-1`, settings, this)));
      journal.cover(settings.subjects);
      return journal;
    });
  }

  captures(subject: string): boolean {
    return this.#journalOf(subject) !== undefined;
  }

  /** A message reached the server. Undefined: no journal stores it, or storage is away. */
  capture(message: Stored): StoreOutcome | undefined {
    return this.#journalOf(message.subject)?.store(message);
  }

  #journalOf(subject: string): JournalState | undefined {
    if (!this.#available || this.#journals.size === 0) return undefined;
    for (const journal of this.#journals.values()) if (journal.takes(subject)) return journal;
    return undefined;
  }
}

function imageOf<V>(map: Map<string, V>): () => void {
  const before = [...map];
  return () => {
    map.clear();
    for (const [key, value] of before) map.set(key, value);
  };
}
