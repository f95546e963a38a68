import { clear, ITEMS_PER_MESSAGE_MAX, type Offers, type Payload, type Withdrawals } from '../../contracts/index.ts';

const SESSIONS_PER_MESSAGE_MAX = 256;

interface Offered {
  readonly id: number;
  readonly budgetMs: number;
  readonly bytes: number;
  /** It must run with nothing else on its host. */
  readonly alone: boolean;
  /** Not on this host, where there are others. */
  readonly avoid: string;
}

/** Pools whose mail is kept ready: more can only be names of plans long gone. */
const POOLS_MAX = 4096;

interface Ways {
  readonly offers: (offers: Offers) => void;
  readonly withdrawals: (withdrawals: Withdrawals) => void;
}

/** What goes to one pool at the end of this turn. */
class Mail {
  readonly #router: string;
  readonly #ways: Ways;
  // What is offered: copied when it is sent, for these stay as long as they ever were.
  readonly #sessions: string[] = [];
  readonly #ids: number[] = [];
  readonly #session: number[] = [];
  readonly #budgetMs: number[] = [];
  readonly #bytes: number[] = [];
  #alone: number[] = [];
  #avoid: string[] = [];
  #withdrawn: number[] = [];

  constructor(router: string, ways: Ways) {
    this.#router = router;
    this.#ways = ways;
  }

  get isEmpty(): boolean {
    return this.#ids.length === 0 && this.#withdrawn.length === 0;
  }

  /** False when the message is full: nothing was added. */
  offer(session: string, { id, budgetMs, bytes, alone, avoid }: Offered): boolean {
    if (this.#ids.length >= ITEMS_PER_MESSAGE_MAX) return false;
    let index = this.#sessions.indexOf(session);
    if (index < 0) {
      if (this.#sessions.length >= SESSIONS_PER_MESSAGE_MAX) return false;
      index = this.#sessions.push(session) - 1;
    }
    this.#ids.push(id);
    this.#session.push(index);
    this.#budgetMs.push(budgetMs);
    this.#bytes.push(bytes);
    if (alone) {
      this.#alone.push(id);
      this.#avoid.push(avoid);
    }
    return true;
  }

  withdraw(id: number): void {
    this.#withdrawn.push(id);
  }

  sendOffers(epoch: number): void {
    if (this.#ids.length === 0) return;
    const offers: Offers = {
      v: 1,
      router: this.#router,
      epoch,
      sessions: taken(this.#sessions),
      ids: taken(this.#ids),
      session: taken(this.#session),
      budgetMs: taken(this.#budgetMs),
      bytes: taken(this.#bytes),
    };
    if (this.#alone.length > 0) {
      offers.alone = this.#alone;
      if (this.#avoid.some(Boolean)) offers.avoid = this.#avoid;
      this.#alone = [];
      this.#avoid = [];
    }
    this.#ways.offers(offers);
  }

  sendWithdrawals(): void {
    if (this.#withdrawn.length === 0) return;
    const ids = this.#withdrawn;
    this.#withdrawn = [];
    for (let i = 0; i < ids.length; i += ITEMS_PER_MESSAGE_MAX)
      this.#ways.withdrawals({ v: 1, router: this.#router, ids: ids.slice(i, i + ITEMS_PER_MESSAGE_MAX) });
  }
}

/** A copy as long as the list, which is empty then. */
function taken<T>(list: T[]): T[] {
  const copy = list.slice();
  clear(list);
  return copy;
}

/** Offers and withdrawals of one turn of the event loop, as few messages to each pool as fit. */
export class Outgoing {
  readonly #mails = new Map<string, Mail>();
  /** Those with something in them, in the order in which it came. */
  readonly #due: Mail[] = [];
  readonly #router: string;
  readonly #waysTo: (pool: string) => Ways;
  readonly #epoch: () => number;
  /** Asks for a {@link flush} at the end of the turn. */
  readonly #soon: () => void;

  constructor(options: {
    router: string;
    epoch: () => number;
    soon: () => void;
    waysTo: (pool: string) => Ways;
  }) {
    this.#router = options.router;
    this.#epoch = options.epoch;
    this.#soon = options.soon;
    this.#waysTo = options.waysTo;
  }

  offer(pool: string, session: string, offered: Offered): void {
    const mail = this.#mailTo(pool);
    if (mail.offer(session, offered)) return;
    mail.sendOffers(this.#epoch());
    mail.offer(session, offered);
  }

  withdraw(pool: string, id: number): void {
    this.#mailTo(pool).withdraw(id);
  }

  flush(): void {
    const due = this.#due;
    for (const mail of due) mail.sendOffers(this.#epoch());
    for (const mail of due) mail.sendWithdrawals();
    clear(due);
    if (this.#mails.size > POOLS_MAX) this.#mails.clear();
  }

  #mailTo(pool: string): Mail {
    let mail = this.#mails.get(pool);
    if (!mail) this.#mails.set(pool, (mail = new Mail(this.#router, this.#waysTo(pool))));
    if (mail.isEmpty) this.#due.push(mail);
    this.#soon();
    return mail;
  }
}

/** Bytes of the data of a payload, as offered, held and accounted. */
export function dataBytes(payload: Payload): number {
  if (payload.encoding !== 'tensors') return payload.data.byteLength;
  let bytes = 0;
  for (const name in payload.tensors) bytes += payload.tensors[name]!.data.byteLength;
  return bytes;
}

/** Upper bound of a payload's size in a message, its id included. */
export function packedBytes(payload: Payload): number {
  if (payload.encoding !== 'tensors') return payload.data.byteLength + 80;
  let bytes = 64;
  for (const name in payload.tensors) {
    const tensor = payload.tensors[name]!;
    bytes += tensor.data.byteLength + 3 * name.length + 9 * tensor.dims.length + 64;
  }
  return bytes;
}

/** Upper bound of what a payloads message has besides the payloads. Names of batches are bounded by their token. */
export const ENVELOPE_BYTES = 1024;
const ABSENT_ID_BYTES = 9;

interface Parcel {
  readonly ids: number[];
  readonly payloads: Payload[];
  readonly absent: number[];
}

/** Packs what one router owes one batch into messages of at most `maxBytes`; the lists are theirs then. Each payload must fit by itself. */
export function parcels(ids: number[], payloads: Payload[], absent: number[], maxBytes: number): Parcel[] {
  // As nearly always: one is enough.
  let wholeBytes = ENVELOPE_BYTES + absent.length * ABSENT_ID_BYTES;
  for (let i = 0; i < payloads.length; i++) wholeBytes += packedBytes(payloads[i]!);
  if (wholeBytes <= maxBytes && Math.max(ids.length, absent.length) <= ITEMS_PER_MESSAGE_MAX)
    return [{ ids, payloads, absent }];
  const all: Parcel[] = [];
  let parcel: Parcel = { ids: [], payloads: [], absent: [] };
  let bytes = ENVELOPE_BYTES;
  const room = (more: number, items: number): void => {
    if ((bytes + more > maxBytes && bytes > ENVELOPE_BYTES) || items >= ITEMS_PER_MESSAGE_MAX) {
      all.push(parcel);
      parcel = { ids: [], payloads: [], absent: [] };
      bytes = ENVELOPE_BYTES;
    }
    bytes += more;
  };
  for (const id of absent) {
    room(ABSENT_ID_BYTES, parcel.absent.length);
    parcel.absent.push(id);
  }
  for (let i = 0; i < ids.length; i++) {
    room(packedBytes(payloads[i]!), parcel.ids.length);
    parcel.ids.push(ids[i]!);
    parcel.payloads.push(payloads[i]!);
  }
  all.push(parcel);
  return all;
}
