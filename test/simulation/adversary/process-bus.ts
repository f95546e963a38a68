import type { Bus, BusMessage, Clock } from '../../../contracts/index.ts';
import type { Gate } from '../../../deploy/simulate/index.ts';
import { moodyJournal, moodyKeyValue, moodyObjectStore, type StoreUser } from './store.ts';

/** What the watchers see of one process's messages, as they are on the wire. */
export interface Tap {
  sent(subject: string, data: Uint8Array): void;
  delivered(subject: string, data: Uint8Array, reply: string | undefined): void;
  /** Is about to be stored, and was. */
  appending(subject: string, data: Uint8Array, id: string | undefined): void;
  appended(subject: string, data: Uint8Array, id: string | undefined): void;
}

/** A bug made on purpose: the process and the wire see different messages. */
export interface Tamper {
  readonly incoming?: (subject: string, data: Uint8Array) => Uint8Array | undefined;
  /** What is published instead, in order. */
  readonly outgoing?: (subject: string, data: Uint8Array) => readonly Uint8Array[];
  /** The id under which a journal stores a message instead; undefined: it does not, and the process believes that it did. */
  readonly stored?: (subject: string, id: string) => string | undefined;
}

export interface ProcessBusParts extends StoreUser {
  readonly inner: Bus;
  readonly clock: Clock;
  readonly gate: Gate;
  readonly tap: Tap;
  readonly tamper: Tamper;
  /** How much later than it came a message is seen, ms: how messages overtake each other. */
  readonly lagMs: () => number;
  /** How much later it is seen once more, for each time. */
  readonly echoesMs: (subject: string) => readonly number[];
}

/** The bus as one process sees it: nothing passes while it is frozen, and all that passes is watched. */
export function processBus(parts: ProcessBusParts): Bus {
  const { inner, clock, gate, tap, tamper } = parts;
  const publish: Bus['publish'] = (subject, data, options) => {
    if (gate.dead) return false;
    let sent = inner.connected;
    for (const said of tamper.outgoing?.(subject, data) ?? [data]) {
      sent = inner.publish(subject, said, options);
      if (sent) tap.sent(subject, said);
    }
    return sent;
  };
  const seen = (message: BusMessage, data: Uint8Array): BusMessage => {
    const { subject, headers, reply } = message;
    const respond: BusMessage['respond'] = (answer, options) => reply !== undefined && publish(reply, answer, options);
    return { subject, data, headers, reply, respond };
  };
  return {
    get maxPayloadBytes() {
      return inner.maxPayloadBytes;
    },
    get connected() {
      return inner.connected;
    },
    publish,
    subscribe: (subject, deliver, options) =>
      inner.subscribe(
        subject,
        message => {
          const take = (): void =>
            gate.pass(() => {
              tap.delivered(message.subject, message.data, message.reply);
              const data = tamper.incoming ? tamper.incoming(message.subject, message.data) : message.data;
              if (data) deliver(seen(message, data));
            });
          const lagMs = parts.lagMs();
          if (lagMs > 0) clock.after(lagMs, take);
          else take();
          for (const laterMs of parts.echoesMs(message.subject)) clock.after(laterMs, take);
        },
        options,
      ),
    request: async (subject, data, options) => {
      const [said = data] = tamper.outgoing?.(subject, data) ?? [data];
      const answer = inner.request(subject, said, options);
      tap.sent(subject, said);
      return gate.async(answer);
    },
    requestMany: async (subject, data, options) => gate.async(inner.requestMany(subject, data, options)),
    keyValue: async (bucket, options) => moodyKeyValue(await gate.async(inner.keyValue(bucket, options)), parts),
    objectStore: async bucket => moodyObjectStore(await gate.async(inner.objectStore(bucket)), parts),
    journal: async (name, settings) => {
      const journal = moodyJournal(await gate.async(inner.journal(name, settings)), parts);
      const append: typeof journal.append = async (subject, data, options) => {
        const { id } = options ?? {};
        tap.appending(subject, data, id);
        const said = id !== undefined && tamper.stored ? tamper.stored(subject, id) : id;
        if (said === undefined && id !== undefined) return { duplicate: false };
        const outcome = await journal.append(subject, data, said === undefined ? {} : { id: said });
        tap.appended(subject, data, id);
        return outcome;
      };
      return { ...journal, append };
    },
    onStatus: listener => inner.onStatus(status => gate.pass(() => listener(status))),
    flush: async () => gate.async(inner.flush()),
    drain: async () => gate.async(inner.drain()),
    close: async () => gate.async(inner.close()),
  };
}
