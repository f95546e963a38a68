import type { BusMessage, Headers, Subscription } from '../../contracts/index.ts';
import type { LocalBus } from './client.ts';
import type { Letter } from './letter.ts';
import type { Cargo } from './link.ts';

/** A letter on its way to one subscription, and the message that its receiver sees; the content is shared with all others. */
export class Delivery implements BusMessage, Cargo {
  behind: Cargo | undefined;
  readonly #to: LocalSubscription;
  readonly #letter: Letter;

  constructor(to: LocalSubscription, letter: Letter) {
    this.#to = to;
    this.#letter = letter;
    to.expect();
  }

  get subject(): string {
    return this.#letter.subject;
  }
  get data(): Uint8Array {
    return this.#letter.data;
  }
  get value(): unknown {
    return this.#letter.value;
  }
  get headers(): Headers | undefined {
    return this.#letter.headers;
  }
  get reply(): string | undefined {
    return this.#letter.reply;
  }
  get bytes(): number {
    return this.#letter.bytes;
  }

  respond(data: Uint8Array, options: { headers?: Headers } = {}): boolean {
    return this.reply !== undefined && this.#to.client.publish(this.reply, data, options);
  }

  arrive(): void {
    this.#to.take(this);
  }

  lost(): void {
    this.#to.miss();
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

  /** A message is under way to here: it is taken or missed later. */
  expect(): void {
    this.#underWay++;
  }

  take(message: BusMessage): void {
    this.#underWay--;
    try {
      if (this.#state !== 'closed') this.#deliver(message);
    } finally {
      this.#settle();
    }
  }

  miss(): void {
    this.#underWay--;
    this.#settle();
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
