import type { Subscription as NatsInnerSubscription } from 'nats';
import type { Subscription } from '../../contracts/index.ts';

/** Whatever the subscription belongs to; drains need a connection. */
interface Connection {
  readonly connected: boolean;
  whileConnected<T>(what: string, work: () => Promise<T>): Promise<T>;
}

export class NatsSubscription implements Subscription {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly #inner: NatsInnerSubscription;
  readonly #connection: Connection;
  readonly #forget: () => void;

  constructor(
    subject: string,
    queue: string | undefined,
    inner: NatsInnerSubscription,
    connection: Connection,
    forget: () => void,
  ) {
    this.subject = subject;
    this.queue = queue;
    this.#inner = inner;
    this.#connection = connection;
    this.#forget = forget;
  }

  unsubscribe(): void {
    this.#forget();
    if (!this.#inner.isClosed()) this.#inner.unsubscribe();
  }

  async drain(): Promise<void> {
    this.#forget();
    if (this.#inner.isClosed()) return;
    try {
      await this.#connection.whileConnected(`drain ${this.subject}`, async () => this.#inner.drain());
    } catch {
      // The connection went: what was on its way is lost, which is how a drain then ends.
      if (!this.#inner.isClosed()) this.#inner.unsubscribe();
    }
  }
}
