import {
  StorageUnavailableError,
  type Cancel,
  type Journal,
  type KeyValue,
  type KeyValueEntry,
  type ObjectStore,
  type Random,
} from '../../../contracts/index.ts';
import type { Gate } from '../../../deploy/simulate/index.ts';

/**
 * How storage treats one process:
 * - `away`           the process can't reach it
 * - `stale`          reads may give the value before the latest
 * - `unacknowledged` writes happen, and may be reported as failed
 * - `forgetful`      writes are acknowledged, and may be lost
 */
export const STORE_MOODS = ['away', 'stale', 'unacknowledged', 'forgetful'] as const;
export type StoreMood = (typeof STORE_MOODS)[number] | 'fine';

/** The moods of the store towards each process, and what it has forgotten. */
export class Stores {
  readonly #random: Random;
  readonly #moods = new Map<string, StoreMood>();
  readonly #previous = new Map<string, KeyValueEntry>();
  readonly #latest = new Map<string, KeyValueEntry>();
  readonly #onChange = new Set<() => void>();

  constructor(random: Random) {
    this.#random = random;
  }

  mood(who: string): StoreMood {
    return this.#moods.get(who) ?? 'fine';
  }

  set(who: string, mood: StoreMood): void {
    this.#moods.set(who, mood);
    for (const tell of this.#onChange) tell();
  }

  /** Whether the mood shows this time. */
  strikes(): boolean {
    return this.#random.next() < 0.5;
  }

  wrote(where: string, entry: KeyValueEntry): void {
    this.onWrite?.(where, entry);
    const latest = this.#latest.get(where);
    if (latest) this.#previous.set(where, latest);
    this.#latest.set(where, entry);
  }

  /** Whatever was ever written there, in order; read by the rules. */
  onWrite: ((where: string, entry: KeyValueEntry) => void) | undefined;

  before(where: string): KeyValueEntry | undefined {
    return this.#previous.get(where);
  }

  onChange(tell: () => void): Cancel {
    this.#onChange.add(tell);
    return () => void this.#onChange.delete(tell);
  }
}

export interface StoreUser {
  readonly id: string;
  readonly gate: Gate;
  readonly stores: Stores;
}

const away = (what: string): StorageUnavailableError =>
  new StorageUnavailableError(`${what}: storage can not be reached`);

/** A bucket as one process sees it. */
export function moodyKeyValue(inner: KeyValue, { id, gate, stores }: StoreUser): KeyValue {
  const { bucket } = inner;
  const reach = async <T>(work: () => Promise<T>): Promise<T> => {
    if (stores.mood(id) === 'away') return gate.async(Promise.reject(away(bucket)));
    return gate.async(work());
  };
  const write = (key: string, value: Uint8Array | undefined, work: () => Promise<number>): Promise<number> =>
    reach(async () => {
      const mood = stores.mood(id);
      if (mood === 'forgetful' && stores.strikes()) return ((await inner.get(key))?.revision ?? 0) + 1;
      const revision = await work();
      stores.wrote(`${bucket}/${key}`, { key, value, revision });
      if (mood === 'unacknowledged' && stores.strikes()) throw away(bucket);
      return revision;
    });
  return {
    bucket,
    get: key =>
      reach(async () => {
        const stale = stores.mood(id) === 'stale' && stores.strikes() ? stores.before(`${bucket}/${key}`) : undefined;
        return stale ? stale.value && stale : inner.get(key);
      }),
    put: (key, value) => write(key, value, () => inner.put(key, value)),
    create: (key, value) => write(key, value, () => inner.create(key, value)),
    update: (key, value, revision) => write(key, value, () => inner.update(key, value, revision)),
    delete: async (key, revision) =>
      void (await write(key, undefined, async () => {
        await inner.delete(key, revision);
        return 0;
      })),
    keys: filter => reach(() => inner.keys(filter)),
    watch: (filter, onEntry, options) =>
      reach(async () => {
        let held: (() => void)[] = [];
        const hear = (fn: () => void): void => {
          if (stores.mood(id) === 'away' || held.length > 0) held.push(fn);
          else gate.pass(fn);
        };
        const release = stores.onChange(() => {
          if (stores.mood(id) === 'away') return;
          const due = held;
          held = [];
          for (const fn of due) gate.pass(fn);
        });
        const { onReady } = options ?? {};
        const end = await inner.watch(
          filter,
          entry => hear(() => onEntry(entry)),
          onReady ? { onReady: () => hear(onReady) } : {},
        );
        return () => {
          release();
          end();
        };
      }),
  };
}

/** An object store as one process sees it: there or away. */
export function moodyObjectStore(inner: ObjectStore, { id, gate, stores }: StoreUser): ObjectStore {
  const { bucket } = inner;
  const reach = <T>(work: () => Promise<T>): Promise<T> =>
    gate.async(stores.mood(id) === 'away' ? Promise.reject(away(bucket)) : work());
  return {
    bucket,
    put: (name, data) => reach(() => inner.put(name, data)),
    get: name => reach(() => inner.get(name)),
    has: name => reach(() => inner.has(name)),
    delete: name => reach(() => inner.delete(name)),
    list: () => reach(() => inner.list()),
  };
}

/** A journal as one process sees it: there or away; what is appended may be reported as failed. What is stored is delivered when the process can see it. */
export function moodyJournal(inner: Journal, { id, gate, stores }: StoreUser): Journal {
  const { name, incarnation } = inner;
  const reach = <T>(work: () => Promise<T>): Promise<T> =>
    gate.async(stores.mood(id) === 'away' ? Promise.reject(away(name)) : work());
  return {
    name,
    incarnation,
    append: (subject, data, options) =>
      reach(async () => {
        const outcome = await inner.append(subject, data, options);
        if (stores.mood(id) === 'unacknowledged' && stores.strikes()) throw away(name);
        return outcome;
      }),
    addReader: reader => reach(() => inner.addReader(reader)),
    read: (reader, deliver) => reach(() => inner.read(reader, entry => gate.pass(() => deliver(entry)))),
    removeReader: reader => reach(() => inner.removeReader(reader)),
  };
}
