import { InvalidMessageError, isToken, type Outline } from '../../contracts/index.ts';
import type { Prepared } from '../../gpu-host/index.ts';
import type { Waiting } from './queue.ts';

/**
 * A payload that hasn't come so long after the batch was to start won't come: its router is gone, or the message was lost.
 * With a long objective the latest start is far away, and the batcher would hold back from a host that waits for it.
 */
const PAYLOAD_WAIT_MS = 500;
/** Up to so many ids each is held against each other to see whether one is there twice. */
const COMPARED_MAX = 64;

/**
 * - `awaited`   its payload has not come
 * - `preparing` it came and is being decoded
 * - `prepared`  ready for the device
 * - `absent`    the router does not hold it any more
 * - `failed`    its payload can't be used
 * - `closed`    answered
 */
export type ItemState = 'awaited' | 'preparing' | 'prepared' | 'absent' | 'failed' | 'closed';

/**
 * The invocations that an outline announces, and what became of each so far: columns, read by the index that an invocation has in the
 * outline. Times on the host's clock.
 */
export class Batch implements Waiting {
  readonly id: string;
  readonly batcher: string;
  /** Those that are used. */
  readonly models: readonly string[];
  readonly size: number;
  readonly outlinedMs: number;
  readonly expectedMs: number;
  readonly states: ItemState[];
  /** When it was known what becomes of the payload. */
  readonly settledMs: number[];
  readonly prepared: (Prepared | undefined)[];
  /** Why: of those that failed. */
  errors: Map<number, unknown> | undefined;
  /** Invocations whose payload has not come. */
  awaited: number;
  unsettled: number;
  /** When its last payload was settled, or its latest start came. */
  filledMs: number | undefined;
  /** It has started, or was refused: payloads are too late. */
  closed = false;
  readonly #outline: Outline;
  readonly #latestMs: number;
  readonly #giveUpMs: number;
  readonly #heldBytes: number[];
  /** Where the next payload is likely to belong: they come in the order of the outline. */
  #next = 0;

  /** @throws InvalidMessageError when its columns don't fit together */
  constructor(outline: Outline, nowMs: number) {
    checkOutline(outline);
    const size = outline.ids.length;
    this.#outline = outline;
    this.id = outline.batch;
    this.batcher = outline.batcher;
    this.models = outline.models.length === 1 ? outline.models : usedOf(outline);
    this.size = size;
    this.outlinedMs = nowMs;
    this.expectedMs = outline.expectedMs;
    this.#latestMs = nowMs + outline.latestInMs;
    this.#giveUpMs = Math.min(this.#latestMs, nowMs + outline.startInMs + PAYLOAD_WAIT_MS);
    this.states = outline.ids.map(() => 'awaited');
    this.settledMs = outline.ids.map(() => nowMs);
    this.prepared = outline.ids.map(() => undefined);
    this.#heldBytes = outline.ids.map(() => 0);
    this.awaited = size;
    this.unsettled = size;
    this.filledMs = size === 0 ? nowMs : undefined;
  }

  get latestMs(): number {
    return this.awaited > 0 ? this.#giveUpMs : this.#latestMs;
  }

  get routers(): readonly string[] {
    return this.#outline.routers;
  }

  /** Index of its router. */
  router(item: number): number {
    return this.#outline.router[item]!;
  }

  idOf(item: number): number {
    return this.#outline.ids[item]!;
  }

  modelOf(item: number): string {
    return this.#outline.models[this.#outline.model[item]!]!;
  }

  /** When its answer must be back at the router. */
  deadlineMs(item: number): number {
    return this.outlinedMs + this.#outline.budgetMs[item]!;
  }

  /** −1: the router has no such invocation in it. */
  find(router: string, id: number): number {
    const { ids, routers } = this.#outline;
    for (let i = 0; i < this.size; i++) {
      const item = this.#next;
      this.#next = item + 1 < this.size ? item + 1 : 0;
      if (ids[item] === id && routers[this.router(item)] === router) return item;
    }
    return -1;
  }

  /** Puts an invocation into its next state. */
  enter(item: number, state: ItemState): void {
    const before = this.states[item]!;
    if (before === 'awaited') this.awaited--;
    if (isUnsettled(before) && state !== 'preparing') this.unsettled--;
    this.states[item] = state;
  }

  /** What became of a payload. Counts once: what is settled or closed stays as it is. */
  settle(item: number, state: 'prepared' | 'absent' | 'failed', nowMs: number): boolean {
    if (!isUnsettled(this.states[item]!)) return false;
    this.enter(item, state);
    this.settledMs[item] = nowMs;
    if (this.unsettled === 0) this.filledMs ??= nowMs;
    return true;
  }

  /** Memory held for an invocation from now on; answers by how much that is more. */
  hold(item: number, bytes: number): number {
    const more = bytes - this.#heldBytes[item]!;
    this.#heldBytes[item] = bytes;
    return more;
  }

  /** Those in a state that `isMeant`. */
  itemsIn(isMeant: (state: ItemState) => boolean): number[] {
    const items: number[] = [];
    for (let item = 0; item < this.size; item++) if (isMeant(this.states[item]!)) items.push(item);
    return items;
  }
}

const isUnsettled = (state: ItemState): boolean => state === 'awaited' || state === 'preparing';

const usedOf = ({ models, model }: Outline): string[] => [...new Set(model.map(index => models[index]!))];

const COLUMNS = ['router', 'model', 'budgetMs'] as const;

function checkOutline(outline: Outline): void {
  const { ids, routers, models } = outline;
  for (const name of COLUMNS) {
    if (outline[name].length !== ids.length) {
      throw misfit(`/${name}`, `has ${outline[name].length} entries, /ids has ${ids.length}`);
    }
  }
  if (outline.router.some(index => index >= routers.length)) throw misfit('/router', 'points outside of /routers');
  if (outline.model.some(index => index >= models.length)) throw misfit('/model', 'points outside of /models');
  for (const name of routers) checkName(name);
  checkName(outline.batcher);
  if (hasTwins(outline)) throw misfit('/ids', 'names an invocation twice');
}

function checkName(name: string): void {
  if (!isToken(name)) throw misfit('/routers', `names ${JSON.stringify(name)}, which is no actor's name`);
}

/** Ids are unique within their router. */
function hasTwins({ ids, router, routers }: Outline): boolean {
  if (ids.length > COMPARED_MAX) return new Set(ids.map((id, i) => id * routers.length + router[i]!)).size < ids.length;
  for (let i = 1; i < ids.length; i++)
    for (let j = 0; j < i; j++) if (ids[i] === ids[j] && router[i] === router[j]) return true;
  return false;
}

const misfit = (path: string, detail: string) => new InvalidMessageError({ where: 'outline', path, detail });
