import type { Cancel } from './clock.ts';

/** Header names are case-sensitive, one value each. */
export type Headers = Readonly<Record<string, string>>;

export interface BusMessage {
  readonly subject: string;
  /** A view that may be shared with the packet it came in: copy what you keep. */
  readonly data: Uint8Array;
  /** What was published by {@link Bus.valuesTo}, as it is: shared by all who got it, and written to by nobody. */
  readonly value?: unknown;
  /** Size of the data, of a value about what it would be. */
  readonly bytes?: number;
  readonly headers: Headers | undefined;
  /** Present when the sender awaits an answer. */
  readonly reply: string | undefined;
  /** Answers the sender. False when there is nobody to answer or no connection. @throws PayloadTooLargeError */
  respond(data: Uint8Array, options?: { headers?: Headers }): boolean;
}

export interface Subscription {
  readonly subject: string;
  readonly queue: string | undefined;
  /** Stops at once: nothing more is delivered. */
  unsubscribe(): void;
  /** Stops taking new messages; resolves when those already received by this side were delivered. */
  drain(): Promise<void>;
}

/**
 * - `disconnected` the connection is gone, attempts to get it back go on without end
 * - `connected`    it is back (also sent once at first); subscriptions were restored, what was published meanwhile is lost
 * - `slow-consumer` this side reads too slowly and messages for it were dropped (the in-process bus; a NATS server closes the
 *                  connection without saying why: `disconnected`, then `connected`, and a warning in the log)
 * - `closed`       for good
 */
export type BusStatus = 'connected' | 'disconnected' | 'slow-consumer' | 'closed';

/**
 * Messaging with NATS's semantics: subjects of dot-separated tokens, wildcards `*` (one token) and `>` (one or more, last),
 * queue groups, request/reply with immediate "no responders", at most once, order kept per publisher and subscriber.
 */
export interface Bus {
  /** The largest `data` that may be published, in bytes (`max_payload` of the server's INFO). */
  readonly maxPayloadBytes: number;
  readonly connected: boolean;
  /**
   * False when there is no connection: the message is lost, nothing is buffered. `data` must not be changed afterwards.
   * @throws PayloadTooLargeError
   */
  publish(subject: string, data: Uint8Array, options?: { headers?: Headers; reply?: string }): boolean;
  /**
   * Only where publisher and receivers share a process and agreed on it: gives what publishes plain data on one subject without
   * encoding it. Neither the data nor anything in it may be changed afterwards, by nobody. False and @throws as {@link publish}.
   */
  readonly valuesTo?: ((subject: string) => (value: unknown) => boolean) | undefined;
  /** `deliver` runs once per message, in order. It must not throw. In one queue group each message goes to one member. */
  subscribe(subject: string, deliver: (message: BusMessage) => void, options?: { queue?: string }): Subscription;
  /** @throws NoResponderError at once, RequestTimeoutError, DisconnectedError, PayloadTooLargeError */
  request(subject: string, data: Uint8Array, options: { timeoutMs: number; headers?: Headers }): Promise<BusMessage>;
  /**
   * All answers that come within `waitMs`, at most `max`; earlier when no responder exists (then none) or `stallMs` passed
   * since the latest answer. @throws DisconnectedError, PayloadTooLargeError
   */
  requestMany(
    subject: string,
    data: Uint8Array,
    options: { waitMs: number; max?: number; stallMs?: number; headers?: Headers },
  ): Promise<BusMessage[]>;
  /** Opens a bucket, creating it if need be. @throws StorageUnavailableError */
  keyValue(bucket: string, options?: { history?: number; memory?: boolean }): Promise<KeyValue>;
  /** Opens a bucket of large objects, creating it if need be. @throws StorageUnavailableError */
  objectStore(bucket: string): Promise<ObjectStore>;
  /**
   * Opens a journal, creating it if need be; subjects that it doesn't cover yet are added.
   * @throws StorageUnavailableError, ConfigError when another journal stores one of the subjects
   */
  journal(name: string, settings: JournalSettings): Promise<Journal>;
  onStatus(listener: (status: BusStatus) => void): Cancel;
  /** Resolves when all that was published has reached the server. @throws DisconnectedError */
  flush(): Promise<void>;
  /** Drains every subscription, flushes, closes. Handlers' own promises are the caller's to await, before. */
  drain(): Promise<void>;
  /** Closes at once. */
  close(): Promise<void>;
}

export interface KeyValueEntry {
  readonly key: string;
  /** `undefined` when the key was deleted. */
  readonly value: Uint8Array | undefined;
  /** Grows with every change of the bucket. */
  readonly revision: number;
}

/** Small values under keys (tokens `[-/_=.a-zA-Z0-9]+`), with compare-and-set. Decide by {@link update}, never by {@link get}. */
export interface KeyValue {
  readonly bucket: string;
  /** Undefined when absent or deleted. @throws StorageUnavailableError */
  get(key: string): Promise<KeyValueEntry | undefined>;
  /** @returns the new revision. @throws StorageUnavailableError */
  put(key: string, value: Uint8Array): Promise<number>;
  /** Only if the key is absent or deleted. @returns the new revision. @throws ConflictError, StorageUnavailableError */
  create(key: string, value: Uint8Array): Promise<number>;
  /** Only if the latest revision of the key is `revision`. @returns the new one. @throws ConflictError, StorageUnavailableError */
  update(key: string, value: Uint8Array, revision: number): Promise<number>;
  /** With `revision`: only if it is the latest. @throws ConflictError, StorageUnavailableError */
  delete(key: string, revision?: number): Promise<void>;
  /** Keys that exist and match `filter` (wildcards as in subjects; default all), in no order. @throws StorageUnavailableError */
  keys(filter?: string): Promise<string[]>;
  /**
   * Delivers what exists, then `onReady`, then each change; after a reconnect the bucket is read again and what differs is
   * delivered, so a change can't be missed, only intermediate values can.
   */
  watch(filter: string, onEntry: (entry: KeyValueEntry) => void, options?: { onReady?: () => void }): Promise<Cancel>;
}

/** Large objects by name (any characters), content checked by digest on reading. */
export interface ObjectStore {
  readonly bucket: string;
  /** Replaces what was there. @throws StorageUnavailableError */
  put(name: string, data: Uint8Array): Promise<void>;
  /** Undefined when absent. @throws StorageUnavailableError (also when the content doesn't match its digest) */
  get(name: string): Promise<Uint8Array | undefined>;
  has(name: string): Promise<boolean>;
  delete(name: string): Promise<void>;
  /** Names with sizes in bytes. */
  list(): Promise<{ name: string; bytes: number }[]>;
}

export interface JournalSettings {
  /** What is published on these (wildcards allowed) is stored. */
  readonly subjects: readonly string[];
  /** `until-read`: until every reader has acknowledged it, at once where there is none; `until-old`: for `maxAgeMs`. */
  readonly keep: 'until-read' | 'until-old';
  /** `until-read`: beyond it nothing is stored and {@link Journal.append} fails; `until-old`: beyond it the oldest go. */
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** Within this time a second append with the same id is not stored. At most `maxAgeMs`. */
  readonly dedupeMs: number;
}

/** Messages of some subjects, stored by the server; plain subscribers of these subjects get them too. */
export interface Journal {
  readonly name: string;
  /** Another one when the journal was lost and made anew: sequences begin again then. */
  readonly incarnation: string;
  /**
   * Publishes, and resolves when the message is stored.
   * @throws StorageUnavailableError (also when it is full), PayloadTooLargeError
   */
  append(subject: string, data: Uint8Array, options?: { id?: string }): Promise<{ duplicate: boolean }>;
  /** Makes a reader unless it is there: what is stored from now on waits for it. @throws StorageUnavailableError */
  addReader(reader: ReaderSettings): Promise<void>;
  /**
   * Reads what was stored since the reader was added (which this does, if need be): each message goes to one of those
   * who have the reader open, again after `ackWaitMs` without acknowledgement. Goes on by itself after interruptions of any
   * kind. @throws StorageUnavailableError when it can't be opened
   */
  read(reader: ReaderSettings, deliver: (entry: JournalEntry) => void): Promise<JournalReader>;
  /** Forgets a reader and what it has not read; nothing happens when there is none. @throws StorageUnavailableError */
  removeReader(name: string): Promise<void>;
}

export interface ReaderSettings {
  readonly name: string;
  /** Of those of the journal. */
  readonly subjects: readonly string[];
  readonly ackWaitMs: number;
  /** Delivered here and neither acknowledged nor given back, at most. */
  readonly heldMax: number;
}

export interface JournalReader {
  /** Takes nothing new. What was delivered can still be acknowledged. */
  close(): Promise<void>;
}

/** A stored message in the hands of one who reads it. Data is the reader's own. */
export interface JournalEntry {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Headers | undefined;
  /** As given to {@link Journal.append}, or by other clients in the header `Nats-Msg-Id`. */
  readonly id: string | undefined;
  /** Place in the journal; unique in its incarnation, unless the server lost its latest messages in a power failure and gave places out again. */
  readonly sequence: number;
  /** When it was stored, by the server's clock, ms since 1970: with `sequence` unique even then. */
  readonly storedAtMs: number;
  /** 1 at the first delivery. */
  readonly attempt: number;
  /** Since it was stored, by the server's clock and ours; 0 or more. */
  readonly ageMs: number;
  /** Done: it doesn't come again, unless the connection is lost at this moment. */
  ack(): void;
  /** Not done: it comes again after this time, here or elsewhere. */
  retry(delayMs: number): void;
  /** Still at it: `ackWaitMs` begins anew. */
  working(): void;
}
