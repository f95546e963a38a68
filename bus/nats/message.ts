import type { Msg } from 'nats';
import type { Bus, BusMessage, Headers } from '../../contracts/index.ts';
import { fromMsgHdrs } from './headers.ts';

/** A received message. Its data is a view on the packet that it came in. */
export class NatsMessage implements BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply: string | undefined;
  readonly #message: Msg;
  readonly #bus: Pick<Bus, 'publish'>;

  constructor(message: Msg, bus: Pick<Bus, 'publish'>) {
    this.subject = message.subject;
    this.data = message.data;
    this.reply = message.reply || undefined;
    this.#message = message;
    this.#bus = bus;
  }

  /** Parsed when somebody looks: most messages have none. */
  get headers(): Headers | undefined {
    const { headers } = this.#message;
    return headers && fromMsgHdrs(headers);
  }

  respond(data: Uint8Array, options: { headers?: Headers } = {}): boolean {
    return this.reply !== undefined && this.#bus.publish(this.reply, data, options);
  }
}
