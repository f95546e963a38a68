import type { Msg, NatsConnection } from 'nats';
import type { Bus, BusMessage, Cancel, Clock, Headers } from '../../contracts/index.ts';
import { NatsMessage } from './message.ts';

export interface RequestManyOptions {
  readonly waitMs: number;
  readonly max?: number;
  readonly stallMs?: number;
  readonly headers?: Headers;
}

/** What the server sends back when nobody listens. */
const isNoResponders = (message: Msg): boolean => message.data.length === 0 && message.headers?.code === 503;

/**
 * Asks all who listen, on an inbox of its own. The client's own `requestMany` has a fixed pause after which it takes the
 * answers for complete; here the caller chooses.
 */
export async function requestMany(
  at: { readonly nc: NatsConnection; readonly bus: Bus; readonly clock: Clock; readonly inbox: string },
  subject: string,
  data: Uint8Array,
  options: RequestManyOptions,
): Promise<BusMessage[]> {
  const { nc, bus, clock, inbox } = at;
  const { waitMs, stallMs, headers, max = Number.POSITIVE_INFINITY } = options;
  const answers: BusMessage[] = [];
  let cancelStall: Cancel = () => {};
  let finish: () => void = () => {};
  const finished = new Promise<void>(resolve => (finish = resolve));
  const subscription = nc.subscribe(inbox, {
    callback: (error, message) => {
      if (error || isNoResponders(message)) return finish();
      if (answers.length < max) answers.push(new NatsMessage(message, bus));
      if (answers.length >= max) return finish();
      if (stallMs === undefined) return;
      cancelStall();
      cancelStall = clock.after(stallMs, finish);
    },
  });
  const cancelWait = clock.after(waitMs, finish);
  const forgetStatus = bus.onStatus(status => status === 'closed' && finish());
  try {
    bus.publish(subject, data, { reply: inbox, ...(headers ? { headers } : {}) });
    await finished;
  } finally {
    forgetStatus();
    cancelWait();
    cancelStall();
    if (!subscription.isClosed()) subscription.unsubscribe();
  }
  return answers;
}
