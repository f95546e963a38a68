import { InvalidMessageError, isToken, type Outline } from '../../contracts/index.ts';
import type { Prepared } from '../../gpu-host/index.ts';
import type { Waiting } from './queue.ts';

/**
 * A payload that hasn't come so long after the batch was to start won't come: its router is gone, or the message was lost.
 * With a long objective the latest start is far away, and the batcher would hold back from a host that waits for it.
 */
const PAYLOAD_WAIT_MS = 500;

/**
 * - `awaited`   its payload has not come
 * - `preparing` it came and is being decoded
 * - `prepared`  ready for the device
 * - `absent`    the router does not hold it any more
 * - `failed`    its payload can't be used
 * - `closed`    answered
 */
type ItemState = 'awaited' | 'preparing' | 'prepared' | 'absent' | 'failed' | 'closed';

/** One invocation of a batch. Times on the host's clock. */
export interface Item {
  readonly id: number;
  readonly router: string;
  readonly model: string;
  /** When its answer must be back at the router. */
  readonly deadlineMs: number;
  state: ItemState;
  /** When it was known what becomes of its payload. */
  settledMs: number;
  prepared: Prepared | undefined;
  /** failed: why. */
  error: unknown;
  /** Memory held for it. */
  heldBytes: number;
}

export interface Batch extends Waiting {
  readonly id: string;
  readonly batcher: string;
  readonly models: readonly string[];
  readonly items: readonly Item[];
  readonly outlinedMs: number;
  /** Items whose payload has not come. */
  awaited: number;
  unsettled: number;
  /** When its last payload was settled, or its latest start came. */
  filledMs: number | undefined;
  /** Looks an invocation up; ids are unique within their router. */
  find(router: string, id: number): Item | undefined;
}

/** The batch that an outline announces. @throws InvalidMessageError when its columns don't fit together */
export function openBatch(outline: Outline, nowMs: number): Batch {
  checkOutline(outline);
  const items: Item[] = outline.ids.map((id, i) => ({
    id,
    router: outline.routers[outline.router[i]!]!,
    model: outline.models[outline.model[i]!]!,
    deadlineMs: nowMs + outline.budgetMs[i]!,
    state: 'awaited',
    settledMs: nowMs,
    prepared: undefined,
    error: undefined,
    heldBytes: 0,
  }));
  const latestMs = nowMs + outline.latestInMs;
  const giveUpMs = Math.min(latestMs, nowMs + outline.startInMs + PAYLOAD_WAIT_MS);
  const byRouter = new Map(outline.routers.map(router => [router, new Map<number, Item>()]));
  for (const item of items) {
    const ofRouter = byRouter.get(item.router)!;
    if (ofRouter.has(item.id)) throw misfit('/ids', 'names an invocation twice');
    ofRouter.set(item.id, item);
  }
  return {
    id: outline.batch,
    batcher: outline.batcher,
    models: outline.models.length === 1 ? outline.models : [...new Set(items.map(item => item.model))],
    items,
    outlinedMs: nowMs,
    get latestMs() {
      return this.awaited > 0 ? giveUpMs : latestMs;
    },
    expectedMs: outline.expectedMs,
    awaited: items.length,
    unsettled: items.length,
    filledMs: items.length === 0 ? nowMs : undefined,
    find: (router, id) => byRouter.get(router)?.get(id),
  };
}

/** Puts an item into its next state; the batch counts along. */
export function enter(batch: Batch, item: Item, state: ItemState): void {
  if (item.state === 'awaited') batch.awaited--;
  if (isUnsettled(item) && state !== 'preparing') batch.unsettled--;
  item.state = state;
}

const isUnsettled = ({ state }: Item): boolean => state === 'awaited' || state === 'preparing';

/** What became of an item's payload. Counts once: an item that is settled or closed stays as it is. */
export function settle(batch: Batch, item: Item, state: 'prepared' | 'absent' | 'failed', nowMs: number): boolean {
  if (!isUnsettled(item)) return false;
  enter(batch, item, state);
  item.settledMs = nowMs;
  if (batch.unsettled === 0) batch.filledMs ??= nowMs;
  return true;
}

function checkOutline(outline: Outline): void {
  const { ids, routers, models } = outline;
  for (const name of ['router', 'model', 'budgetMs'] as const) {
    if (outline[name].length !== ids.length) {
      throw misfit(`/${name}`, `has ${outline[name].length} entries, /ids has ${ids.length}`);
    }
  }
  if (outline.router.some(index => index >= routers.length)) throw misfit('/router', 'points outside of /routers');
  if (outline.model.some(index => index >= models.length)) throw misfit('/model', 'points outside of /models');
  const nameless = [...routers, outline.batcher].find(name => !isToken(name));
  if (nameless !== undefined) throw misfit('/routers', `names ${JSON.stringify(nameless)}, which is no actor's name`);
}

const misfit = (path: string, detail: string) => new InvalidMessageError({ where: 'outline', path, detail });
