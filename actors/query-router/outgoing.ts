import { ITEMS_PER_MESSAGE_MAX, type Offers, type Payload, type Withdrawals } from '../../contracts/index.ts';

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

/** What goes to one pool at the end of this turn. Its lists stay; what is sent are copies, as long as they need to be. */
class Mail {
  readonly pool: string;
  readonly #sessions: string[] = [];
  readonly #ids: number[] = [];
  readonly #session: number[] = [];
  readonly #budgetMs: number[] = [];
  readonly #bytes: number[] = [];
  readonly #alone: number[] = [];
  readonly #avoid: string[] = [];
  readonly #withdrawn: number[] = [];

  constructor(pool: string) {
    this.pool = pool;
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

  /** Undefined: there are none. */
  takeOffers(router: string, epoch: number): Offers | undefined {
    if (this.#ids.length === 0) return undefined;
    const offers: Offers = {
      v: 1,
      router,
      epoch,
      sessions: taken(this.#sessions),
      ids: taken(this.#ids),
      session: taken(this.#session),
      budgetMs: taken(this.#budgetMs),
      bytes: taken(this.#bytes),
    };
    if (this.#alone.length === 0) return offers;
    offers.alone = taken(this.#alone);
    const avoid = taken(this.#avoid);
    if (avoid.some(Boolean)) offers.avoid = avoid;
    return offers;
  }

  takeWithdrawn(): number[] {
    return taken(this.#withdrawn);
  }
}

/** Offers and withdrawals of one turn of the event loop, as few messages to each pool as fit. */
export class Outgoing {
  readonly #mails = new Map<string, Mail>();
  /** Those with something in them, in the order in which it came. */
  readonly #due: Mail[] = [];
  readonly #router: string;
  readonly #sendOffers: (pool: string, offers: Offers) => void;
  readonly #sendWithdrawals: (pool: string, withdrawals: Withdrawals) => void;
  readonly #epoch: () => number;
  /** Asks for a {@link flush} at the end of the turn. */
  readonly #soon: () => void;

  constructor(options: {
    router: string;
    epoch: () => number;
    soon: () => void;
    offers: (pool: string, offers: Offers) => void;
    withdrawals: (pool: string, withdrawals: Withdrawals) => void;
  }) {
    this.#router = options.router;
    this.#epoch = options.epoch;
    this.#soon = options.soon;
    this.#sendOffers = options.offers;
    this.#sendWithdrawals = options.withdrawals;
  }

  offer(pool: string, session: string, offered: Offered): void {
    const mail = this.#mailTo(pool);
    if (mail.offer(session, offered)) return;
    this.#send(mail);
    mail.offer(session, offered);
  }

  withdraw(pool: string, id: number): void {
    this.#mailTo(pool).withdraw(id);
  }

  flush(): void {
    const due = this.#due;
    for (const mail of due) this.#send(mail);
    for (const mail of due) this.#sendWithdrawn(mail);
    due.length = 0;
    if (this.#mails.size > POOLS_MAX) this.#mails.clear();
  }

  #mailTo(pool: string): Mail {
    let mail = this.#mails.get(pool);
    if (!mail) this.#mails.set(pool, (mail = new Mail(pool)));
    if (mail.isEmpty) this.#due.push(mail);
    this.#soon();
    return mail;
  }

  #send(mail: Mail): void {
    const offers = mail.takeOffers(this.#router, this.#epoch());
    if (offers) this.#sendOffers(mail.pool, offers);
  }

  #sendWithdrawn(mail: Mail): void {
    const ids = mail.takeWithdrawn();
    for (let i = 0; i < ids.length; i += ITEMS_PER_MESSAGE_MAX)
      this.#sendWithdrawals(mail.pool, { v: 1, router: this.#router, ids: ids.slice(i, i + ITEMS_PER_MESSAGE_MAX) });
  }
}

/** Empties a list and keeps its room. */
function taken<T>(list: T[]): T[] {
  const copy = list.slice();
  while (list.length > 0) list.pop();
  return copy;
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

/** Packs what one router owes one batch into messages of at most `maxBytes`. Each payload must fit by itself. */
export function parcels(
  ids: readonly number[],
  payloads: readonly Payload[],
  absent: readonly number[],
  maxBytes: number,
): Parcel[] {
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
