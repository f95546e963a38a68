import { ByteCount, Bytes, Count, Ms, Type, type Static } from '../schema.ts';
import { Output, Payload, Picture } from './picture.ts';

/** Free facts that travel with a frame into its results. */
export const Meta = Type.Record(
  Type.String({ maxLength: 64 }),
  Type.Union([Type.String({ maxLength: 1024 }), Type.Number(), Type.Boolean()]),
  {
    maxProperties: 32,
  },
);

/** One sampled picture of a stream. */
export const Frame = Type.Object({
  v: Type.Literal(1),
  seq: Count('number of the frame in its stream, growing; gaps are frames that were skipped'),
  picture: Picture,
  ageMs: Type.Optional(Ms('how old the picture was when it was published; counts against the objective')),
  meta: Type.Optional(Meta),
});
export type Frame = Static<typeof Frame>;

/** What the answer is asked for: one picture (or tensors), outside of any stream. */
export const InferRequest = Type.Object({
  v: Type.Literal(1),
  payload: Payload,
  budgetMs: Type.Optional(Ms('instead of the objective of the query')),
  meta: Type.Optional(Meta),
});
export type InferRequest = Static<typeof InferRequest>;

export const OUTCOMES = ['ok', 'late', 'dropped', 'failed', 'rejected'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Why a request did not end `ok` or `late`. */
export const Trouble = Type.Object({
  at: Type.Enum(['door', 'router', 'batcher', 'host', 'device'], { description: 'where it was decided' }),
  reason: Type.String({
    maxLength: 64,
    description:
      'dropped: deadline, no-capacity, shutdown; failed: input, model, internal; rejected: unknown-query, malformed, ' +
      'too-large, overloaded, unsupported-version, not-serving',
  }),
  detail: Type.String({ maxLength: 1024, description: 'a sentence for people: what, where and what to do' }),
  stage: Type.Optional(Type.String()),
  retryable: Type.Boolean({ description: 'whether the same request can succeed later' }),
});
export type Trouble = Static<typeof Trouble>;

/** Where the time of one invocation went, ms. Their sum is its latency as the router saw it. */
export const Timing = Type.Object({
  routeMs: Ms('in the router before the offer: intake, cropping'),
  scheduleMs: Ms('from the offer to the grant: waiting for a device'),
  transferMs: Ms('from the grant until the payload was ready on the host, decoding and preprocessing included'),
  waitMs: Ms('ready on the host, waiting for the batch to start'),
  runMs: Ms('the batch on the device'),
  returnMs: Ms('postprocessing and the way back'),
});
export type Timing = Static<typeof Timing>;

/** What one invocation of a stage gave. */
export const StageResult = Type.Object({
  from: Type.Optional(Type.String({ description: 'the stage whose result it came from; absent: the frame itself' })),
  parent: Type.Optional(Count('index of that result in its stage')),
  item: Type.Optional(Count('which box of the parent')),
  output: Output,
  model: Type.String(),
  host: Type.String(),
  batch: Count('how many inputs ran with it'),
  timing: Timing,
});
export type StageResult = Static<typeof StageResult>;

/** The one terminal outcome of a request. */
export const Result = Type.Object({
  v: Type.Literal(1),
  request: Type.String({ maxLength: 128, description: 'unique id given by the router' }),
  tenant: Type.String(),
  query: Type.String(),
  stream: Type.Optional(Type.String({ description: 'absent for one-off requests' })),
  seq: Type.Optional(Count('of the frame')),
  outcome: Type.Enum([...OUTCOMES], {
    description:
      'ok in time; late answered after the objective; dropped not answered, see trouble; failed the model or the input; rejected at the door',
  }),
  latencyMs: Ms('from acceptance by the router to this result, plus the age of the frame'),
  objectiveMs: Ms('what was promised'),
  stages: Type.Record(Type.String(), Type.Array(StageResult), {
    description: 'per stage what was computed; partial unless ok or late',
  }),
  timing: Type.Optional(Timing),
  trouble: Type.Optional(Trouble),
  router: Type.String(),
  epoch: Count('the plan in force when it was accepted'),
  emulated: Type.Boolean({ description: 'true when any part ran on an emulated device: such answers are not real' }),
  meta: Type.Optional(Meta),
  attempt: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'durable queries: how often the frame was tried; latencyMs counts from its storage',
    }),
  ),
});
export type Result = Static<typeof Result>;

/** A frame of a durable query that could not be processed, with what was tried. */
export const DeadLetter = Type.Object({
  v: Type.Literal(1),
  result: Result,
  subject: Type.String({ description: 'that it was published on' }),
  sequence: Count('in the journal of frames'),
  bytes: ByteCount('of the frame as published'),
  data: Type.Optional(Bytes({ description: 'the frame as published; absent where both together exceed max_payload' })),
});
export type DeadLetter = Static<typeof DeadLetter>;

/** News of a stream: it came up, broke, ended. */
export const StreamNews = Type.Object({
  v: Type.Literal(1),
  state: Type.Enum(['live', 'dead', 'ended', 'removed'], {
    description: 'dead: no frame for a while, the source is being reopened with back-off',
  }),
  detail: Type.String({ maxLength: 1024 }),
  frames: Count('published so far'),
});
export type StreamNews = Static<typeof StreamNews>;
