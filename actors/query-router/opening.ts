import type { InferRequest, Payload } from '../../contracts/index.ts';
import { NO_TICK } from './alarm-clock.ts';
import type { Taker } from './catalog.ts';
import { NONE, type Request } from './lives.ts';
import type { QueryMeter } from './meter.ts';
import { misfit } from './payload.ts';
import type { Query } from './query.ts';

/** What is asked of a query, from a frame or by somebody who awaits the answer. */
export interface Asked {
  readonly stream?: string;
  readonly seq?: number;
  readonly meta?: InferRequest['meta'];
  readonly ageMs: number;
  /** Instead of the objective of the query. */
  readonly budgetMs?: number | undefined;
  /** Kept until the end: see {@link keep}. */
  readonly payload: Payload;
}

/** Why this payload is of no use to the query; undefined when it is. */
export const unfit = (query: Query, payload: Payload): string | undefined =>
  misfit(payload) ?? (payload.encoding === 'tensors' ? cutless(query) : undefined);

const cutless = (query: Query): string | undefined =>
  query.cutsPictures
    ? `query ${query.name} cuts boxes out of a picture, but the request brought tensors; send a picture`
    : undefined;

/** A request as it is accepted. */
export function open(
  query: Query,
  asked: Asked,
  facts: {
    id: number;
    number: number;
    epoch: number;
    payloadBytes: number;
    nowMs: number;
    meter: QueryMeter;
    taker: Taker;
  },
): Request {
  const { id, number, epoch, payloadBytes, nowMs, meter, taker } = facts;
  const objectiveMs = asked.budgetMs ?? query.objectiveMs;
  const allowedMs = objectiveMs - asked.ageMs;
  return {
    id,
    number,
    query,
    meter,
    stream: asked.stream,
    seq: asked.seq,
    meta: asked.meta,
    epoch,
    acceptedAtMs: nowMs,
    ageMs: asked.ageMs,
    objectiveMs,
    deadlineMs: nowMs + allowedMs,
    taker,
    payload: asked.payload,
    payloadBytes,
    invocations: NONE,
    open: 0,
    cutting: 0,
    size: undefined,
    results: query.stages.length === 1 ? [NONE] : query.stages.map(() => NONE),
    lastStage: 0,
    lastIndex: 0,
    emulated: false,
    ended: false,
    wakeAtMs: nowMs + allowedMs,
    alarmTick: NO_TICK,
  };
}
