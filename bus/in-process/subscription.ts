import type { BusMessage, Headers, Subscription } from '../../contracts/index.ts';
import type { LocalBus } from './client.ts';
import type { Cargo } from './link.ts';

/** A message as its receivers see it; the bytes are shared between them. */
export class LocalMessage implements BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Headers | undefined;
  readonly reply: string | undefined;
  readonly #receiver: LocalBus;

  constructor(
    receiver: LocalBus,
    facts: { subject: string; data: Uint8Array; headers: Headers | undefined; reply: string | undefined },
  ) {
    this.#receiver = receiver;
    this.subject = facts.subject;
    this.data = facts.data;
    this.headers = facts.headers;
    this.reply = facts.reply;
  }

  respond(data: Uint8Array, options: { headers?: Headers } = {}): boolean {
    return this.reply !== undefined && this.#receiver.publish(this.reply, data, options);
  }
}

export class LocalSubscription implements Subscription {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly client: LocalBus;
  readonly #deliver: (message: BusMessage) => void;
  readonly #leave: () => void;
  /** Messages under way to here. */
  #underWay = 0;
  #state: 'open' | 'draining' | 'closed' = 'open';
  #drained: (() => void)[] = [];

  constructor(
    client: LocalBus,
    subject: string,
    queue: string | undefined,
    deliver: (message: BusMessage) => void,
    leave: () => void,
  ) {
    this.client = client;
    this.subject = subject;
    this.queue = queue;
    this.#deliver = deliver;
    this.#leave = leave;
  }

  /** The message as something that a link can carry here. */
  cargo(message: BusMessage, bytes: number): Cargo {
    this.#underWay++;
    return {
      bytes,
      arrive: () => {
        this.#underWay--;
        try {
          if (this.#state !== 'closed') this.#deliver(message);
        } finally {
          this.#settle();
        }
      },
      lost: () => {
        this.#underWay--;
        this.#settle();
      },
    };
  }

  unsubscribe(): void {
    if (this.#state === 'open') this.#leave();
    this.#state = 'closed';
    this.#settle();
  }

  drain(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'draining';
      this.#leave();
    }
    return new Promise(resolve => {
      this.#drained.push(resolve);
      this.#settle();
    });
  }

  #settle(): void {
    if (this.#state === 'open' || (this.#state === 'draining' && this.#underWay > 0)) return;
    this.#state = 'closed';
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}
