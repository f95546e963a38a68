import {
  DisconnectedError,
  NoResponderError,
  RequestTimeoutError,
  StorageUnavailableError,
  type Bus,
  type BusMessage,
  type BusStatus,
  type Cancel,
  type Clock,
  type Headers,
  type Journal,
  type JournalSettings,
  type KeyValue,
  type ObjectStore,
} from '../../contracts/index.ts';
import { StatusListeners } from '../status.ts';
import { assertSubscribable } from '../subject-match.ts';
import { LocalJournal, type StoreOutcome } from './journal.ts';
import type { Way } from './way.ts';
import { LocalSubscription } from './subscription.ts';
import type { Storage } from './storage.ts';

/** Marks the answer that the network itself gives when nobody listens. */
export const NO_RESPONDERS: Headers = { Status: '503' };

/** What a client asks of the network. */
export interface Hub {
  readonly clock: Clock;
  readonly maxPayloadBytes: number;
  readonly storage: Storage;
  /** Whether values are handed over as they are. */
  readonly values: boolean;
  send(
    from: LocalBus,
    subject: string,
    data: Uint8Array,
    headers: Headers | undefined,
    reply: string | undefined,
  ): StoreOutcome | undefined;
  wayOf(from: LocalBus, subject: string): Way;
  add(subscription: LocalSubscription): void;
  remove(subscription: LocalSubscription): void;
  leave(client: LocalBus): void;
}

/** One client of an in-process network. */
export class LocalBus implements Bus {
  readonly name: string;
  readonly valuesTo: Bus['valuesTo'];
  /** For the network: the ways of what this client publishes. */
  readonly ways = new Map<string, Way>();
  readonly #hub: Hub;
  readonly #inbox: string;
  readonly #subscriptions = new Set<LocalSubscription>();
  readonly #awaited = new Map<string, (answer: BusMessage | Error) => void>();
  readonly #status = new StatusListeners(() => this.#connected);
  #listensToInbox = false;
  #connected: boolean;
  #closed = false;
  #requests = 0;

  constructor(name: string, inbox: string, hub: Hub, connected: boolean) {
    this.name = name;
    this.#inbox = inbox;
    this.#hub = hub;
    this.#connected = connected;
    this.valuesTo = hub.values ? subject => hub.wayOf(this, subject).publish : undefined;
  }

  get maxPayloadBytes(): number {
    return this.#hub.maxPayloadBytes;
  }

  get connected(): boolean {
    return this.#connected;
  }

  publish(subject: string, data: Uint8Array, options: { headers?: Headers; reply?: string } = {}): boolean {
    this.#hub.send(this, subject, data, options.headers, options.reply);
    return this.#connected;
  }

  subscribe(subject: string, deliver: (message: BusMessage) => void, options: { queue?: string } = {}) {
    assertSubscribable(subject);
    if (this.#closed) throw new DisconnectedError(`can't listen on ${subject}: the bus is closed`);
    const subscription = new LocalSubscription(this, subject, options.queue, deliver, () => {
      this.#subscriptions.delete(subscription);
      this.#hub.remove(subscription);
    });
    this.#subscriptions.add(subscription);
    this.#hub.add(subscription);
    return subscription;
  }

  request(subject: string, data: Uint8Array, options: { timeoutMs: number; headers?: Headers }): Promise<BusMessage> {
    return new Promise((resolve, reject) => {
      const end = this.#ask(subject, data, options.headers, answer => {
        cancelTimeout();
        end();
        if (answer instanceof Error) reject(answer);
        else if (answer.headers === NO_RESPONDERS) reject(new NoResponderError(subject));
        else resolve(answer);
      });
      const cancelTimeout = this.#hub.clock.after(options.timeoutMs, () => {
        end();
        reject(new RequestTimeoutError(subject, options.timeoutMs));
      });
    });
  }

  requestMany(
    subject: string,
    data: Uint8Array,
    options: { waitMs: number; max?: number; stallMs?: number; headers?: Headers },
  ): Promise<BusMessage[]> {
    const { clock } = this.#hub;
    const max = options.max ?? Number.POSITIVE_INFINITY;
    return new Promise((resolve, reject) => {
      const answers: BusMessage[] = [];
      let cancelStall: Cancel = () => {};
      const finish = (): void => {
        cancelWait();
        cancelStall();
        end();
        resolve(answers);
      };
      const end = this.#ask(subject, data, options.headers, answer => {
        if (answer instanceof Error) {
          reject(answer);
          finish();
        } else if (answer.headers === NO_RESPONDERS) finish();
        else if (answers.push(answer) >= max) finish();
        else if (options.stallMs !== undefined) {
          cancelStall();
          cancelStall = clock.after(options.stallMs, finish);
        }
      });
      const cancelWait = clock.after(options.waitMs, finish);
    });
  }

  /** Publishes with a reply subject of its own; the answer's end is the caller's to call. @throws as publish, DisconnectedError */
  #ask(
    subject: string,
    data: Uint8Array,
    headers: Headers | undefined,
    hear: (answer: BusMessage | Error) => void,
  ): Cancel {
    if (!this.#connected)
      throw new DisconnectedError(`can't ask on ${subject}: ${this.name} is not connected to the bus`);
    if (!this.#listensToInbox) {
      this.subscribe(`${this.#inbox}.*`, message => this.#awaited.get(message.subject)?.(message));
      this.#listensToInbox = true;
    }
    const reply = `${this.#inbox}.${this.#requests++}`;
    this.#awaited.set(reply, hear);
    try {
      this.#hub.send(this, subject, data, headers, reply);
    } catch (error) {
      this.#awaited.delete(reply);
      throw error;
    }
    return () => void this.#awaited.delete(reply);
  }

  async keyValue(bucket: string, options: { history?: number; memory?: boolean } = {}): Promise<KeyValue> {
    return this.#hub.storage.keyValue(this, bucket, options);
  }

  async objectStore(bucket: string): Promise<ObjectStore> {
    return this.#hub.storage.objectStore(this, bucket);
  }

  async journal(name: string, settings: JournalSettings): Promise<Journal> {
    const { storage } = this.#hub;
    const state = await storage.journal(this, name, settings);
    return new LocalJournal(state, storage, this, (subject, data, headers) =>
      this.#hub.send(this, subject, data, headers, undefined),
    );
  }

  /** @throws StorageUnavailableError */
  assertStorage(what: string): void {
    if (!this.#connected) throw new StorageUnavailableError(`${what}: ${this.name} is not connected to the bus`);
  }

  onStatus(listener: (status: BusStatus) => void): Cancel {
    return this.#status.add(listener);
  }

  tell(status: BusStatus): void {
    this.#status.tell(status);
  }

  async flush(): Promise<void> {
    if (!this.#connected) throw new DisconnectedError(`can't flush: ${this.name} is not connected to the bus`);
  }

  async drain(): Promise<void> {
    await Promise.all([...this.#subscriptions].map(async subscription => subscription.drain()));
    await this.close();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#connected = false;
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#hub.leave(this);
    this.#hub.storage.connectionChanged(this);
    const error = new DisconnectedError(`${this.name} closed its connection to the bus`);
    for (const hear of this.#awaited.values()) hear(error);
    this.#status.tell('closed');
  }

  /** For the network: the connection went or came. */
  setConnected(connected: boolean): void {
    if (this.#connected === connected || (this.#closed && connected)) return;
    this.#connected = connected;
    this.#hub.storage.connectionChanged(this);
    this.#status.tell(connected ? 'connected' : 'disconnected');
  }
}
