import { ITEMS_PER_MESSAGE_MAX, type DropReason, type Outline, type Verdicts } from '../../contracts/index.ts';
import type { Invocation } from './invocation.ts';

export type RefusalReason = Verdicts['refused'][number]['reason'];

/** A batch as hosts and routers are told of it. Times are instants here, remaining times on the wire. */
export interface GrantedBatch {
  readonly id: string;
  readonly pool: string;
  readonly host: string;
  /** What the host runs: models, or suffixes. */
  readonly models: string[];
  /** For each item the index of its own. */
  readonly model: number[];
  readonly items: readonly Invocation[];
  readonly startAtMs: number;
  readonly latestAtMs: number;
  readonly expectedMs: number;
  readonly answerByMs: number;
  /** The host runs all of it, in time or not. */
  readonly late: boolean;
}

export interface Post {
  verdicts(router: string, message: Verdicts): void;
  outline(host: string, message: Outline): void;
}

/** Limits of the schema of verdicts. */
const GRANTS_MAX = 256;
const LISTS_MAX = 16;
/** What a batch that runs late, too, is given on top: more than any run takes. */
const LATE_MS = 60_000;

interface Letter {
  readonly router: string;
  readonly pool: string;
  readonly grants: { batch: GrantedBatch; ids: number[] }[];
  drops: Map<DropReason, number[]> | undefined;
  refused: Map<RefusalReason, number[]> | undefined;
}

/** What an outline lists. */
interface Columns {
  readonly routers: string[];
  readonly ids: number[];
  readonly router: number[];
}

/** Gathers what was decided in one turn and sends it: one message to each router (and pool), one to each host. */
export class Mail {
  readonly #batcher: string;
  readonly #post: Post;
  /** A list, searched from its end: few are written in one turn, and several times in a row to the same router. */
  #letters: Letter[] = [];
  readonly #outlines: { batch: GrantedBatch; columns: Columns }[] = [];

  constructor(batcher: string, post: Post) {
    this.#batcher = batcher;
    this.#post = post;
  }

  grant(batch: GrantedBatch): void {
    const columns: Columns = { routers: [], ids: [], router: [] };
    const idsOf: number[][] = [];
    for (const { id, book } of batch.items) {
      const { routers } = columns;
      if (routers[book.place] !== book.router) {
        book.place = routers.length;
        routers.push(book.router);
        idsOf.push([]);
      }
      columns.ids.push(id);
      columns.router.push(book.place);
      idsOf[book.place]!.push(id);
    }
    for (let i = 0; i < idsOf.length; i++)
      this.#letter(columns.routers[i]!, batch.pool).grants.push({ batch, ids: idsOf[i]! });
    this.#outlines.push({ batch, columns });
  }

  drop(router: string, pool: string, reason: DropReason, id: number): void {
    addTo((this.#letter(router, pool).drops ??= new Map()), reason, id);
  }

  refuse(router: string, pool: string, reason: RefusalReason, id: number): void {
    addTo((this.#letter(router, pool).refused ??= new Map()), reason, id);
  }

  /** Verdicts first: the payloads that they call for are what a batch waits for. */
  send(epoch: number, nowMs: number): void {
    if (this.#letters.length > 0) {
      for (const letter of this.#letters)
        for (const message of this.#verdicts(letter, epoch, nowMs)) this.#post.verdicts(letter.router, message);
      this.#letters = [];
    }
    if (this.#outlines.length === 0) return;
    for (const { batch, columns } of this.#outlines)
      this.#post.outline(batch.host, this.#outline(batch, columns, epoch, nowMs));
    this.#outlines.length = 0;
  }

  #letter(router: string, pool: string): Letter {
    for (let i = this.#letters.length - 1; i >= 0; i--) {
      const known = this.#letters[i]!;
      if (known.router === router && known.pool === pool) return known;
    }
    const letter: Letter = { router, pool, grants: [], drops: undefined, refused: undefined };
    this.#letters.push(letter);
    return letter;
  }

  #verdicts({ pool, grants, drops, refused }: Letter, epoch: number, nowMs: number): Verdicts[] {
    const granted = grants.map(({ batch: { id, host, answerByMs }, ids }) => {
      return { batch: id, host, ids, answerInMs: Math.max(0, answerByMs - nowMs) };
    });
    const dropped = listsOf(drops);
    const sentBack = listsOf(refused);
    const messages: Verdicts[] = [];
    while (granted.length + dropped.length + sentBack.length > 0) {
      messages.push({
        v: 1,
        batcher: this.#batcher,
        pool,
        epoch,
        grants: granted.splice(0, GRANTS_MAX),
        drops: dropped.splice(0, LISTS_MAX),
        refused: sentBack.splice(0, LISTS_MAX),
      });
    }
    return messages;
  }

  #outline(batch: GrantedBatch, { routers, ids, router }: Columns, epoch: number, nowMs: number): Outline {
    const { id, pool, models, model, items, startAtMs, latestAtMs, expectedMs, late } = batch;
    const graceMs = late ? LATE_MS : 0;
    const budgetMs: number[] = [];
    for (const { answerByMs } of items) budgetMs.push(Math.max(0, answerByMs - nowMs) + graceMs);
    return {
      v: 1,
      batcher: this.#batcher,
      pool,
      epoch,
      batch: id,
      models,
      routers,
      ids,
      router,
      model,
      budgetMs,
      startInMs: Math.max(0, startAtMs - nowMs),
      latestInMs: Math.max(0, latestAtMs - nowMs) + graceMs,
      expectedMs,
    };
  }
}

function addTo<R>(lists: Map<R, number[]>, reason: R, id: number): void {
  const ids = lists.get(reason);
  if (ids) ids.push(id);
  else lists.set(reason, [id]);
}

function listsOf<R>(lists: ReadonlyMap<R, readonly number[]> | undefined): { reason: R; ids: number[] }[] {
  const split: { reason: R; ids: number[] }[] = [];
  if (!lists) return split;
  for (const [reason, ids] of lists)
    for (let from = 0; from < ids.length; from += ITEMS_PER_MESSAGE_MAX)
      split.push({ reason, ids: ids.slice(from, from + ITEMS_PER_MESSAGE_MAX) });
  return split;
}
