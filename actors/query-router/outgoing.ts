import { ITEMS_PER_MESSAGE_MAX, type Offers, type Payload, type Withdrawals } from '../../contracts/index.ts';

const SESSIONS_PER_MESSAGE_MAX = 256;

interface Gathered {
  sessions: string[];
  ids: number[];
  session: number[];
  budgetMs: number[];
  bytes: number[];
  /** Undefined: none. */
  alone: number[] | undefined;
  avoid: string[] | undefined;
}

interface Offered {
  readonly id: number;
  readonly budgetMs: number;
  readonly bytes: number;
  /** It must run with nothing else on its host. */
  readonly alone: boolean;
  /** Not on this host, where there are others. */
  readonly avoid: string;
}

/** Offers and withdrawals of one turn of the event loop, as few messages to each pool as fit. */
export class Outgoing {
  readonly #offers = new Map<string, Gathered>();
  readonly #withdrawals = new Map<string, number[]>();
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

  offer(pool: string, session: string, { id, budgetMs, bytes, alone, avoid }: Offered): void {
    let gathered = this.#offers.get(pool);
    let index = gathered ? gathered.sessions.indexOf(session) : -1;
    if (gathered && isFull(gathered, index < 0)) {
      this.#send(pool, gathered);
      gathered = undefined;
    }
    if (gathered) {
      if (index < 0) index = gathered.sessions.push(session) - 1;
      gathered.ids.push(id);
      gathered.session.push(index);
      gathered.budgetMs.push(budgetMs);
      gathered.bytes.push(bytes);
    } else {
      // Most turns offer one: lists that begin with it are as long as they need to be.
      gathered = {
        sessions: [session],
        ids: [id],
        session: [0],
        budgetMs: [budgetMs],
        bytes: [bytes],
        alone: undefined,
        avoid: undefined,
      };
      this.#offers.set(pool, gathered);
    }
    if (alone) {
      (gathered.alone ??= []).push(id);
      (gathered.avoid ??= []).push(avoid);
    }
    this.#soon();
  }

  withdraw(pool: string, id: number): void {
    const ids = this.#withdrawals.get(pool);
    if (ids) ids.push(id);
    else this.#withdrawals.set(pool, [id]);
    this.#soon();
  }

  flush(): void {
    for (const [pool, gathered] of this.#offers) this.#send(pool, gathered);
    this.#offers.clear();
    for (const [pool, ids] of this.#withdrawals)
      for (let i = 0; i < ids.length; i += ITEMS_PER_MESSAGE_MAX)
        this.#sendWithdrawals(pool, { v: 1, router: this.#router, ids: ids.slice(i, i + ITEMS_PER_MESSAGE_MAX) });
    this.#withdrawals.clear();
  }

  #send(pool: string, { sessions, ids, session, budgetMs, bytes, alone, avoid }: Gathered): void {
    if (ids.length === 0) return;
    const offers: Offers = {
      v: 1,
      router: this.#router,
      epoch: this.#epoch(),
      sessions,
      ids,
      session,
      budgetMs,
      bytes,
    };
    if (alone) offers.alone = alone;
    if (avoid?.some(Boolean)) offers.avoid = avoid;
    this.#sendOffers(pool, offers);
  }
}

const isFull = ({ ids, sessions }: Gathered, anotherSession: boolean): boolean =>
  ids.length >= ITEMS_PER_MESSAGE_MAX || (anotherSession && sessions.length >= SESSIONS_PER_MESSAGE_MAX);

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
