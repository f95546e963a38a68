import {
  describeError,
  DisconnectedError,
  NoResponderError,
  type Clock,
  type Order,
  type OrderReply,
} from '../../contracts/index.ts';

type Verb = Order['verb'];
type Fenced = { readonly v: 1; readonly epoch: number; readonly nonce: string };
/** An order before it is fenced. */
export type Instruction =
  | Omit<Extract<Order, { verb: 'prepare' }>, keyof Fenced>
  | Omit<Extract<Order, { verb: 'release' }>, keyof Fenced>
  | Omit<Extract<Order, { verb: 'profile' }>, keyof Fenced>
  | Omit<Extract<Order, { verb: 'leave' }>, keyof Fenced>;

export interface OrdersPorts {
  readonly clock: Clock;
  fence(): { readonly epoch: number; readonly nonce: string };
  send(host: string, order: Order): Promise<OrderReply>;
  spawn(what: string, work: () => Promise<void>): void;
  /** A reply or the lack of one. */
  replied(
    host: string,
    verb: Verb,
    reply: OrderReply | { readonly accepted: 'unknown'; readonly detail: string },
  ): void;
}

/** An order whose effect doesn't show is given again after so long: orders are idempotent. */
const AGAIN_MS = 5000;

/** Gives orders; the same one to the same host not again before its time. */
export class Orders {
  readonly #ports: OrdersPorts;
  readonly #given = new Map<string, { key: string; atMs: number; underWay: boolean }>();

  constructor(ports: OrdersPorts) {
    this.#ports = ports;
  }

  /** @returns whether it is on its way: not while another one is, nor the same one again before its time */
  give(host: string, instruction: Instruction): boolean {
    const { clock } = this.#ports;
    const fence = this.#ports.fence();
    const key = JSON.stringify([fence, instruction]);
    const before = this.#given.get(host);
    if (before?.underWay || (before?.key === key && clock.nowMs() - before.atMs < AGAIN_MS)) return false;
    const given = { key, atMs: clock.nowMs(), underWay: true };
    this.#given.set(host, given);
    const order = { v: 1, ...fence, ...instruction } as Order;
    this.#ports.spawn(`order ${order.verb} to ${host}`, async () => {
      try {
        const reply = await this.#ports.send(host, order);
        given.underWay = false;
        this.#ports.replied(host, order.verb, reply);
      } catch (error) {
        given.underWay = false;
        // Nobody listened, or the bus was away: it is given again at once. After a time-out it may have been done.
        if (error instanceof NoResponderError || error instanceof DisconnectedError) given.key = '';
        this.#ports.replied(host, order.verb, { accepted: 'unknown', detail: describeError(error) });
      }
    });
    return true;
  }

  forget(host: string): void {
    this.#given.delete(host);
  }
}
