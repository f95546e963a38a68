import { createInbox, Events, type NatsConnection, type Status } from 'nats';
import {
  describeError,
  DisconnectedError,
  PayloadTooLargeError,
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
  type Log,
  type ObjectStore,
  type Subscription,
} from '../../contracts/index.ts';
import { headerBytes } from '../headers.ts';
import { StatusListeners } from '../status.ts';
import { assertPublishable, assertSubscribable } from '../subject-match.ts';
import { connectionFailure, requestFailure } from './errors.ts';
import { toMsgHdrs } from './headers.ts';
import { openJournal } from './journal.ts';
import { openKeyValue } from './key-value.ts';
import { NatsMessage } from './message.ts';
import { openObjectStore } from './object-store.ts';
import { requestMany, type RequestManyOptions } from './request-many.ts';
import { NatsSubscription } from './subscription.ts';

/** A connection to a NATS server. */
export class NatsBus implements Bus {
  readonly nc: NatsConnection;
  readonly clock: Clock;
  readonly log: Log;
  readonly storageTimeoutMs: number;
  readonly #name: string;
  readonly #inboxPrefix: string;
  readonly #subscriptions = new Set<NatsSubscription>();
  readonly #status = new StatusListeners(() => this.#connected);
  #maxPayloadBytes: number;
  #connected = true;
  #serverId: string | undefined;
  #closing = false;
  #closedTold = false;

  constructor(
    nc: NatsConnection,
    options: { clock: Clock; log: Log; name: string; storageTimeoutMs: number; inboxPrefix: string },
  ) {
    this.nc = nc;
    this.clock = options.clock;
    this.log = options.log;
    this.storageTimeoutMs = options.storageTimeoutMs;
    this.#name = options.name;
    this.#inboxPrefix = options.inboxPrefix;
    this.#serverId = nc.info?.server_id;
    this.#maxPayloadBytes = nc.info?.max_payload ?? 1024 * 1024;
    void this.#followStatus();
    void this.#followEnd();
  }

  get maxPayloadBytes(): number {
    // Undefined while it reconnects: then the latest known holds.
    this.#maxPayloadBytes = this.nc.info?.max_payload ?? this.#maxPayloadBytes;
    return this.#maxPayloadBytes;
  }

  get connected(): boolean {
    return this.#connected;
  }

  publish(subject: string, data: Uint8Array, options: { headers?: Headers; reply?: string } = {}): boolean {
    const { headers, reply } = options;
    assertPublishable(subject);
    if (reply !== undefined) assertPublishable(reply);
    const natsHeaders = headers && toMsgHdrs(headers);
    this.assertSize(subject, data, headers);
    if (!this.#connected) return false;
    this.nc.publish(subject, data, {
      ...(natsHeaders ? { headers: natsHeaders } : {}),
      ...(reply === undefined ? {} : { reply }),
    });
    return true;
  }

  subscribe(subject: string, deliver: (message: BusMessage) => void, options: { queue?: string } = {}): Subscription {
    assertSubscribable(subject);
    if (this.#closing) throw new DisconnectedError(`can't listen on ${subject}: the bus is closed`);
    const { queue } = options;
    const inner = this.nc.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error) {
          this.log.error('a subscription was refused', { subject, error: describeError(error) });
          return;
        }
        this.guarded(subject, () => deliver(new NatsMessage(message, this)));
      },
    });
    const subscription = new NatsSubscription(subject, queue, inner, this, () =>
      this.#subscriptions.delete(subscription),
    );
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async request(
    subject: string,
    data: Uint8Array,
    options: { timeoutMs: number; headers?: Headers },
  ): Promise<BusMessage> {
    const { timeoutMs, headers } = options;
    this.#assertSendable(subject, data, headers);
    try {
      const answer = await this.nc.request(subject, data, {
        timeout: Math.max(1, timeoutMs),
        ...(headers ? { headers: toMsgHdrs(headers) } : {}),
      });
      return new NatsMessage(answer, this);
    } catch (error) {
      // The client ends its open requests as timed out when it closes.
      if (this.#closing) throw new DisconnectedError(`request on ${subject}: the bus was closed`, { cause: error });
      throw requestFailure(error, subject, timeoutMs);
    }
  }

  async requestMany(subject: string, data: Uint8Array, options: RequestManyOptions): Promise<BusMessage[]> {
    this.#assertSendable(subject, data, options.headers);
    const at = { nc: this.nc, bus: this, clock: this.clock, inbox: createInbox(this.#inboxPrefix) };
    const answers = await requestMany(at, subject, data, options);
    if (this.#closing) throw new DisconnectedError(`request on ${subject}: the bus was closed`);
    return answers;
  }

  async keyValue(bucket: string, options: { history?: number; memory?: boolean } = {}): Promise<KeyValue> {
    return openKeyValue(this, bucket, options);
  }

  async objectStore(bucket: string): Promise<ObjectStore> {
    return openObjectStore(this, bucket);
  }

  async journal(name: string, settings: JournalSettings): Promise<Journal> {
    return openJournal(this, name, settings);
  }

  /** @throws StorageUnavailableError at once where an operation would only run into its timeout */
  assertStorage(what: string): void {
    if (!this.#connected) throw new StorageUnavailableError(`${what}: not connected to NATS`);
  }

  onStatus(listener: (status: BusStatus) => void): Cancel {
    return this.#status.add(listener);
  }

  async flush(): Promise<void> {
    await this.whileConnected('flush', async () => this.nc.flush());
  }

  async drain(): Promise<void> {
    if (this.#closing) return;
    if (this.#connected) {
      await Promise.all([...this.#subscriptions].map(async subscription => subscription.drain()));
      await this.flush().catch(error =>
        this.log.warn('the last messages may be lost', { error: describeError(error) }),
      );
    }
    await this.close();
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.nc.close();
    this.#ended();
  }

  /** Runs what would hang for as long as there is no connection. @throws DisconnectedError when it goes meanwhile */
  async whileConnected<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (!this.#connected) throw new DisconnectedError(`${what}: not connected to NATS`);
    let forget: Cancel = () => {};
    const gone = new Promise<never>((_resolve, reject) => {
      forget = this.onStatus(status => {
        if (status === 'connected' || status === 'slow-consumer') return;
        reject(new DisconnectedError(`${what}: the connection to NATS was lost`));
      });
    });
    try {
      return await Promise.race([work(), gone]);
    } catch (error) {
      throw connectionFailure(error, what);
    } finally {
      forget();
    }
  }

  #assertSendable(subject: string, data: Uint8Array, headers: Headers | undefined): void {
    assertPublishable(subject);
    this.assertSize(subject, data, headers);
    if (!this.#connected)
      throw new DisconnectedError(`can't ask on ${subject}: ${this.#name} is not connected to NATS`);
  }

  /** @throws PayloadTooLargeError */
  assertSize(subject: string, data: Uint8Array, headers: Headers | undefined): void {
    const bytes = data.byteLength + (headers ? headerBytes(headers) : 0);
    const maxBytes = this.maxPayloadBytes;
    if (bytes > maxBytes) throw new PayloadTooLargeError({ where: subject, bytes, maxBytes });
  }

  /** What throws inside the client's parser would end the connection. */
  guarded(subject: string, deliver: () => void): void {
    try {
      deliver();
    } catch (error) {
      this.log.error('a handler threw, which it must not', {
        subject,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
  }

  async #followStatus(): Promise<void> {
    for await (const status of this.nc.status()) {
      // While it dials, each failed attempt says "disconnect" again.
      if (status.type === Events.Disconnect) this.#setConnected(false);
      else if (status.type === Events.Reconnect) this.#setConnected(true);
      else if (status.type === Events.Error) this.#onServerError(status);
      else if (status.type === Events.LDM) this.log.warn('the NATS server is about to shut down', {});
    }
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected || this.#closing) return;
    this.#connected = connected;
    if (connected) this.#logReturn();
    else this.log.warn('the connection to NATS is lost; trying to get it back', {});
    this.#status.tell(connected ? 'connected' : 'disconnected');
  }

  /** A server that drops a slow reader doesn't tell it why: all that shows is that the same server was there all along. */
  #logReturn(): void {
    const serverId = this.nc.info?.server_id;
    const server = this.nc.getServer();
    if (serverId === this.#serverId) {
      this.log.warn('connected again to a NATS server that had not stopped: its log says why, e.g. "Slow Consumer"', {
        server,
      });
    } else this.log.info('connected to NATS again', { server });
    this.#serverId = serverId;
  }

  #onServerError(status: Status): void {
    const code = typeof status.data === 'string' ? status.data : undefined;
    this.log.error('the NATS server reports an error', { code, ...status.permissionContext });
  }

  async #followEnd(): Promise<void> {
    const error = await this.nc.closed();
    if (!this.#closing) {
      this.log.error('the connection to NATS was closed for good', { error: error ? describeError(error) : null });
    }
    this.#closing = true;
    this.#ended();
  }

  #ended(): void {
    if (this.#closedTold) return;
    this.#closedTold = true;
    this.#connected = false;
    this.#status.tell('closed');
  }
}
