import { ByteCount, Count, Ms, Type, type Static } from '../schema.ts';
import { Output, Payload } from './picture.ts';

/**
 * The hot path between routers, batchers and hosts (design: offers, grants, payloads, answers).
 * An invocation is one input of one stage of one request; its id is unique within its router.
 * Lists travel as columns: the i-th entries of the columns belong together.
 */
export const ITEMS_PER_MESSAGE_MAX = 4096;
const column = <S extends Type.TSchema>(item: S, description?: string) =>
  Type.Array(item, { maxItems: ITEMS_PER_MESSAGE_MAX, ...(description === undefined ? {} : { description }) });
const Ids = column(Count('invocation id'), 'invocation ids, unique within the router');

/** Router → batcher: "I hold these." Repeated while unanswered; the batcher ignores an id it already holds. */
export const Offers = Type.Object({
  v: Type.Literal(1),
  router: Type.String(),
  epoch: Count('plan that the router follows'),
  sessions: Type.Array(Type.String(), { maxItems: 256, description: 'names; `session` points into it' }),
  ids: Ids,
  session: column(Count('index into sessions')),
  budgetMs: column(Ms('until the answer must be back at the router')),
  bytes: column(ByteCount('of the payload')),
  alone: Type.Optional(
    column(
      Count('invocation id'),
      'those of `ids` that were on a host when it was lost, or had a wrong output: each runs with nothing else there',
    ),
  ),
  avoid: Type.Optional(column(Type.String(), 'for each of `alone`: a host that it should not run on; empty: none')),
});
export type Offers = Static<typeof Offers>;

/** Router → batcher: these need no service any more (their request ended). */
export const Withdrawals = Type.Object({ v: Type.Literal(1), router: Type.String(), ids: Ids });
export type Withdrawals = Static<typeof Withdrawals>;

export const DROP_REASONS = ['deadline', 'budget', 'no-capacity', 'shutdown'] as const;
/**
 * deadline: no device can answer in time any more; budget: nor here, but with a larger budget one could: nothing else waits in the pool, no device
 * could be used, or it was on a host that was lost;
 * no-capacity: the queue is full; shutdown: the actor is going.
 */
export type DropReason = (typeof DROP_REASONS)[number];

/** Batcher → router: what becomes of its offers. */
export const Verdicts = Type.Object({
  v: Type.Literal(1),
  batcher: Type.String(),
  pool: Type.String(),
  epoch: Count('plan that the batcher follows'),
  grants: Type.Array(
    Type.Object({
      batch: Type.String({ description: 'unique id' }),
      host: Type.String(),
      ids: Ids,
      answerInMs: Ms('until the answer is expected back; much later than that, the host may be gone'),
    }),
    {
      maxItems: 256,
    },
  ),
  drops: Type.Array(Type.Object({ reason: Type.Enum([...DROP_REASONS]), ids: Ids }), { maxItems: 16 }),
  refused: Type.Array(
    Type.Object({
      reason: Type.Enum(['unknown-session', 'not-in-charge'], { description: 'offer again when the plan has changed' }),
      ids: Ids,
    }),
    { maxItems: 16 },
  ),
});
export type Verdicts = Static<typeof Verdicts>;

/** Batcher → host: a batch that is coming. */
export const Outline = Type.Object({
  v: Type.Literal(1),
  batcher: Type.String(),
  pool: Type.String(),
  epoch: Count('plan'),
  batch: Type.String({ description: 'unique id' }),
  models: Type.Array(Type.String(), {
    minItems: 1,
    maxItems: 256,
    description: 'model ids, or ids of suffixes of one prefix, which run as one batch',
  }),
  routers: Type.Array(Type.String(), { maxItems: 256 }),
  ids: Ids,
  router: column(Count('index into routers')),
  model: column(Count('index into models')),
  budgetMs: column(Ms('until the answer must be back at the router')),
  startInMs: Ms('when the device is expected to be free for it'),
  latestInMs: Ms('the latest start at which all can still be in time; then it starts with what has arrived'),
  expectedMs: Ms('expected time on the device'),
});
export type Outline = Static<typeof Outline>;

/** Router → host: the payloads that one router owes one batch; in several messages when large. */
export const Payloads = Type.Object({
  v: Type.Literal(1),
  router: Type.String(),
  batch: Type.String(),
  ids: Ids,
  payloads: column(Payload),
  absent: Type.Array(Count('invocation id'), {
    maxItems: ITEMS_PER_MESSAGE_MAX,
    description: 'granted, but not held any more: do not wait for them',
  }),
});
export type Payloads = Static<typeof Payloads>;

/** What a host says of one invocation. `refused`: the router should offer it again (the host can't run this batch). */
export const Answer = Type.Union([
  Type.Object({ is: Type.Literal('output'), output: Output }),
  Type.Object({ is: Type.Literal('dropped'), reason: Type.Enum([...DROP_REASONS]) }),
  Type.Object({
    is: Type.Literal('failed'),
    reason: Type.Enum(['input', 'model', 'internal']),
    detail: Type.String({ maxLength: 1024 }),
  }),
  Type.Object({
    is: Type.Literal('refused'),
    reason: Type.Enum(['not-resident', 'leaving', 'fenced', 'overloaded', 'device-lost', 'wrong-output']),
    detail: Type.Optional(Type.String({ maxLength: 1024, description: 'wrong-output: what is wrong with it' })),
  }),
]);
export type Answer = Static<typeof Answer>;

/** Host → router: answers of one batch. */
export const Answers = Type.Object({
  v: Type.Literal(1),
  host: Type.String(),
  batch: Type.String(),
  emulated: Type.Boolean(),
  size: Count('inputs that ran together'),
  model: column(Type.String(), 'model id of each'),
  ids: Ids,
  answers: column(Answer),
  transferMs: column(Ms('from the outline until this payload was ready')),
  waitMs: column(Ms('from ready to start')),
  runMs: Ms('on the device'),
  sinceRunMs: Ms('from the end of the run until this message was sent'),
});
export type Answers = Static<typeof Answers>;

/** Host → batcher: how its device gets on. */
export const Progress = Type.Object({
  v: Type.Literal(1),
  host: Type.String(),
  batch: Type.String(),
  phase: Type.Enum(['started', 'finished', 'refused'], {
    description: 'refused: will not run, its invocations are offered again by the routers',
  }),
  size: Count('inputs in the run'),
  fillMs: Ms('from the outline until all payloads were ready (or the latest start)'),
  heldMs: Type.Optional(
    Ms('from the outline until this was said: what is left of the time since the batcher sent it are the ways'),
  ),
  runMs: Ms('finished: measured; started: 0'),
  wrong: Type.Optional(Count('outputs of the run that can not be right')),
  freeInMs: Ms('until the device is free of all it was granted, as the host expects'),
  backlog: Count('batches granted and not finished'),
});
export type Progress = Static<typeof Progress>;
