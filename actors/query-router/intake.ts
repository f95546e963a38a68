import {
  subjects,
  type Frame,
  type GanglionError,
  type InferRequest,
  type Result,
  type Subscription,
} from '../../contracts/index.ts';
import type { Received } from '../actor/index.ts';
import { keep, keepPicture } from './payload.ts';
import type { Asked } from './opening.ts';
import { rejection } from './results.ts';
import type { RouterContext } from './router.ts';
import * as trouble from './trouble.ts';

const QUEUE = 'routers';
/** The router has bounds of its own, and says `rejected` rather than nothing. */
const IN_FLIGHT_MAX = Number.MAX_SAFE_INTEGER;

type FrameReceived = Received<{ tenant: string; stream: string }>;
type InferReceived = Received<{ tenant: string; query: string }>;

/** Takes frames and one-off requests, shared with the other routers, until the subscriptions are drained. */
export function openIntake(ctx: RouterContext): Subscription[] {
  const shared = { queue: QUEUE, inFlightMax: IN_FLIGHT_MAX };
  return [
    ctx.listen(
      subjects.frames,
      { ...shared, malformed: (error, received) => refuseFrame(ctx, error, received) },
      (frame, received) => takeFrame(ctx, frame, received),
    ),
    ctx.listen(
      subjects.infer,
      { ...shared, malformed: (error, received) => refuseInfer(ctx, error, received) },
      (request, received) => takeInfer(ctx, request, received),
    ),
  ];
}

function takeFrame({ state: router }: RouterContext, frame: Frame, received: FrameReceived): void {
  const { stream, queries, takers } = router.catalog.readersOf(received.subject, () => received.params);
  if (queries.length === 0) return;
  const { seq, ageMs = 0, meta } = frame;
  const payload = keepPicture(frame.picture);
  const asked: Asked = meta ? { stream, seq, ageMs, payload, meta } : { stream, seq, ageMs, payload };
  for (let i = 0; i < queries.length; i++) router.accept(queries[i]!, asked, takers[i]!);
}

/** Each query that reads the stream says that it could not use this message. */
function refuseFrame({ state: router }: RouterContext, error: GanglionError, received: FrameReceived): void {
  const { stream, queries, takers } = router.catalog.readersOf(received.subject, () => received.params);
  const why = trouble.unreadable(error, received.bytes);
  for (let i = 0; i < queries.length; i++) router.reject(queries[i]!, { stream }, takers[i]!, why);
}

function takeInfer(
  { state: router }: RouterContext,
  request: InferRequest,
  { params: { tenant, query: name } }: InferReceived,
): Result | Promise<Result> {
  const query = router.catalog.query(tenant, name);
  const { payload, budgetMs, meta } = request;
  if (!query) {
    const problem = router.catalog.problemOf(tenant, name);
    const why = problem === undefined ? trouble.unknownQuery(tenant, name) : trouble.notServing(name, problem);
    const facts = { tenant, query: name, objectiveMs: budgetMs ?? 0, epoch: router.catalog.epoch };
    return rejection({ ...facts, ...(meta ? { meta } : {}) }, router.origin(), why);
  }
  return new Promise(reply =>
    router.accept(query, { ageMs: 0, budgetMs, payload: keep(payload), ...(meta ? { meta } : {}) }, reply),
  );
}

function refuseInfer(
  { state: router }: RouterContext,
  error: GanglionError,
  { bytes, params: { tenant, query: name } }: InferReceived,
): Result | Promise<Result> {
  const why = trouble.unreadable(error, bytes);
  const query = router.catalog.query(tenant, name);
  if (query) return new Promise(reply => router.reject(query, {}, reply, why));
  return rejection({ tenant, query: name, objectiveMs: 0, epoch: router.catalog.epoch }, router.origin(), why);
}
