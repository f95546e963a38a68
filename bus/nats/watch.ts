import type { KvEntry, QueuedIterator } from 'nats';
import { describeError, type Cancel, type KeyValueEntry } from '../../contracts/index.ts';
import type { NatsBucket } from './bucket.ts';
import { storageFailure } from './errors.ts';

const AGAIN_MS_MIN = 100;
const AGAIN_MS_MAX = 2_000;

/**
 * Follows keys of a bucket. A watch of the server's goes silent for seconds after a restart, and says nothing of what it
 * missed: so after each reconnect, and when it breaks, a new one is opened, which reads the bucket from the start; what it
 * finds is compared with what was told already.
 */
export class NatsWatch {
  readonly #bucket: NatsBucket;
  readonly #filter: string;
  readonly #tell: (entry: KeyValueEntry) => void;
  #ready: (() => void) | undefined;
  /** Revision of each live key as told. */
  readonly #known = new Map<string, number>();
  #identity: string | undefined;
  #iterator: QueuedIterator<KvEntry> | undefined;
  /** Counts openings: what an older one still brings is ignored. */
  #opening = 0;
  #ended = false;
  #forgetStatus: Cancel = () => {};
  #cancelAgain: Cancel = () => {};

  constructor(bucket: NatsBucket, filter: string, onEntry: (entry: KeyValueEntry) => void, onReady: () => void) {
    this.#bucket = bucket;
    this.#filter = filter;
    this.#tell = onEntry;
    this.#ready = onReady;
  }

  /** @throws StorageUnavailableError */
  async start(): Promise<void> {
    await this.#open();
    let wasAway = false;
    this.#forgetStatus = this.#bucket.bus.onStatus(status => {
      if (status === 'disconnected') wasAway = true;
      if (status === 'closed') this.end();
      if (status !== 'connected' || !wasAway) return;
      wasAway = false;
      void this.#reopen(AGAIN_MS_MIN);
    });
  }

  end(): void {
    this.#ended = true;
    this.#opening++;
    this.#forgetStatus();
    this.#cancelAgain();
    this.#iterator?.stop();
  }

  /** Tries until it succeeds, with growing pauses; a lost connection ends the tries, its return begins them again. */
  async #reopen(againMs: number): Promise<void> {
    this.#cancelAgain();
    if (this.#ended || !this.#bucket.bus.connected) return;
    try {
      await this.#open();
    } catch (error) {
      const { log, clock } = this.#bucket.bus;
      if (this.#ended) return;
      log.warn('a watch is interrupted', { bucket: this.#bucket.name, error: describeError(error) });
      this.#cancelAgain();
      this.#cancelAgain = clock.after(againMs, () => void this.#reopen(Math.min(2 * againMs, AGAIN_MS_MAX)));
    }
  }

  async #open(): Promise<void> {
    const opening = ++this.#opening;
    this.#iterator?.stop();
    this.#iterator = undefined;
    const current = (): boolean => opening === this.#opening && !this.#ended;
    const identity = await this.#bucket.identity();
    if (!current()) return;
    const anew = this.#identity !== undefined && this.#identity !== identity;
    this.#identity = identity;
    /** Keys found while reading; undefined once all were. */
    let found: Set<string> | undefined = new Set();
    const finish = (): void => {
      if (!found || !current()) return;
      for (const [key, revision] of this.#known) if (!found.has(key)) this.#gone(key, revision);
      found = undefined;
      this.#guarded(() => this.#ready?.());
      this.#ready = undefined;
    };
    try {
      const iterator = await this.#bucket.run('watch', async kv =>
        // The callback can come before this returns, but then with nothing to read.
        kv.watch({ key: this.#filter, initializedFn: finish }),
      );
      if (!current()) {
        iterator.stop();
        return;
      }
      this.#iterator = iterator;
      void this.#follow(iterator, current, entry => {
        found?.add(entry.key);
        if (entry.operation === 'PUT') this.#changed(entry, anew && found !== undefined);
        else if (!found || this.#known.has(entry.key)) this.#gone(entry.key, entry.revision);
      });
    } catch (error) {
      throw storageFailure(error, this.#bucket.name, `watch ${this.#filter}`);
    }
  }

  async #follow(
    iterator: QueuedIterator<KvEntry>,
    current: () => boolean,
    see: (entry: KvEntry) => void,
  ): Promise<void> {
    let broken = 'it ended';
    try {
      for await (const entry of iterator) {
        if (!current()) return;
        see(entry);
      }
    } catch (error) {
      broken = describeError(error);
    }
    if (!current()) return;
    const { log, clock, connected } = this.#bucket.bus;
    if (!connected) return;
    log.warn('a watch broke and is opened again', { bucket: this.#bucket.name, reason: broken });
    this.#cancelAgain = clock.after(AGAIN_MS_MIN, () => void this.#reopen(AGAIN_MS_MIN));
  }

  #changed(entry: KvEntry, evenIfKnown: boolean): void {
    if (!evenIfKnown && this.#known.get(entry.key) === entry.revision) return;
    this.#known.set(entry.key, entry.revision);
    const { key, revision } = entry;
    this.#guarded(() => this.#tell({ key, value: new Uint8Array(entry.value), revision }));
  }

  #gone(key: string, revision: number): void {
    this.#known.delete(key);
    this.#guarded(() => this.#tell({ key, value: undefined, revision }));
  }

  #guarded(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#bucket.bus.log.error("a watch's handler threw, which it must not", {
        bucket: this.#bucket.name,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
  }
}
