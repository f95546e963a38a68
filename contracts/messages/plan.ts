import { CROSSING_MAX } from '../files/stored-model.ts';
import { TENSOR_PATTERN } from '../part.ts';
import { ByteCount, Count, Ms, RateHz, Type, type Static } from '../schema.ts';

/** Measured cost of one model, or of a part of one (part.ts), on one kind of device. A suffix costs what it adds to its prefix. */
export const Profile = Type.Object({
  v: Type.Literal(1),
  model: Type.String({ description: 'model id, or id of a part' }),
  device: Type.String({ description: 'kind of device' }),
  emulated: Type.Boolean({ description: 'the curve was given, not measured' }),
  points: Type.Array(
    Type.Object({
      batch: Type.Integer({ minimum: 1 }),
      meanMs: Ms('device time of one run'),
      stdMs: Ms('standard deviation'),
      p99Ms: Ms('99th percentile'),
      ephemeralBytes: ByteCount('E: working memory of a run at this batch'),
      repeats: Count('runs measured'),
    }),
    { minItems: 1, maxItems: 256, description: 'by growing batch' },
  ),
  persistentBytes: ByteCount('P: memory held while resident'),
  loadMs: Ms('from bytes to ready'),
  preMs: Ms('decoding and preprocessing of one input, one core'),
  postMs: Ms('postprocessing of one output'),
  measuredAt: Type.Optional(Type.String({ description: 'ISO 8601' })),
});
export type Profile = Static<typeof Profile>;

/** A session: what capacity is planned for. Its name is unique in a plan. */
export const PlannedSession = Type.Object({
  name: Type.String({ maxLength: 256 }),
  tenant: Type.String(),
  model: Type.String({ description: 'model id' }),
  objectiveMs: Ms('for one invocation, its share of the query'),
  rateHz: RateHz('planned for'),
  prefer: Type.Enum(['latency', 'consolidation']),
});
export type PlannedSession = Static<typeof PlannedSession>;

export const PlannedHost = Type.Object({
  host: Type.String(),
  kind: Type.String({ description: 'kind of device' }),
  models: Type.Array(
    Type.Object({
      model: Type.String({ description: 'model id, or id of a part' }),
      of: Type.Optional(Type.String({ description: 'of a prefix: id of a model to take it from; any member will do' })),
      tensors: Type.Optional(
        Type.Array(Type.String({ pattern: TENSOR_PATTERN }), {
          minItems: 1,
          maxItems: CROSSING_MAX,
          description:
            'of a prefix: all that it gives, as its suffixes together need them; default: what crosses the cut of the model that it is taken from',
        }),
      ),
      lane: Count('lane that it runs in'),
      batches: Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 64, description: 'sizes to warm up' }),
      batchMax: Type.Integer({ minimum: 1, description: 'largest run; of a prefix: of the mixed batch' }),
      grantMax: Type.Optional(
        Type.Integer({
          minimum: 1,
          description:
            'largest batch to grant, where that is more: the host runs it in several runs of at most batchMax',
        }),
      ),
    }),
    { maxItems: 1024, description: 'what it holds: a suffix only beside its prefix' },
  ),
});
export type PlannedHost = Static<typeof PlannedHost>;

/** An epoch: which host holds which models, in which pool; complete in itself, no other state is needed to follow it. */
export const Plan = Type.Object({
  v: Type.Literal(1),
  epoch: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  nonce: Type.String({ description: 'of the leader: fences plans of one epoch by different leaders' }),
  policy: Type.String({ description: 'that made it' }),
  pools: Type.Array(
    Type.Object({
      pool: Type.String(),
      batcher: Type.String(),
      hosts: Type.Array(Type.String()),
      sessions: Type.Array(Type.String()),
      groups: Type.Array(Type.Object({ prefix: Type.String(), members: Type.Array(Type.String()) }), {
        description:
          'prefix groups: model ids that run behind one prefix (its id) on the hosts that hold both; ' +
          'their sessions share one queue',
      }),
    }),
    { maxItems: 1024 },
  ),
  hosts: Type.Array(PlannedHost, { maxItems: 10_000 }),
  sessions: Type.Array(PlannedSession, { maxItems: 100_000 }),
  queries: Type.Array(
    Type.Object({
      tenant: Type.String(),
      query: Type.String(),
      stages: Type.Array(
        Type.Object({
          stage: Type.String(),
          session: Type.String(),
          pool: Type.String(),
          budgetMs: Ms('its share of the objective'),
          reserveMs: Ms('to be left for the stages behind it'),
          reserveMinMs: Ms('the part of that without which they can not be done'),
        }),
        { maxItems: 64 },
      ),
    }),
    { maxItems: 10_000 },
  ),
  capacity: Type.Optional(
    Type.Array(
      Type.Object({
        hosts: Type.Array(Type.String(), { minItems: 1, maxItems: 10_000 }),
        dutyMs: Ms('one cycle of a host'),
        sessions: Type.Array(
          Type.Object({
            name: Type.String({ maxLength: 256, description: 'sessions of one model and about one budget' }),
            of: Type.Optional(Type.Array(Type.String(), { maxItems: 100_000, description: 'names of these sessions' })),
            model: Type.String({ description: 'model id, or id of the prefix that it runs behind' }),
            batch: Type.Integer({ minimum: 1 }),
            rateHz: RateHz('of each host'),
            sizedHz: Type.Optional(RateHz('that hosts were last sized for, where that is another')),
            latencyMs: Ms('worst case'),
          }),
          { maxItems: 10_000 },
        ),
      }),
      {
        maxItems: 10_000,
        description:
          'hosts that share the same: how rates were cut over hosts. The next plan is mended from it; and where a policy gives ' +
          'hosts queues of their own, invocations are spread in proportion to it',
      },
    ),
  ),
  short: Type.Optional(
    Type.Boolean({
      description: 'the hosts do not suffice: capacity is for less than the rates, the next plan begins anew',
    }),
  ),
  scratchRatio: Type.Optional(
    Type.Number({
      minimum: 0,
      description: 'what the last plan from scratch cost over its lower bound; with capacity',
    }),
  ),
  refused: Type.Array(
    Type.Object({ tenant: Type.String(), query: Type.String(), reason: Type.String({ maxLength: 1024 }) }),
    { maxItems: 10_000, description: 'queries that this plan can not serve, and why' },
  ),
  profiles: Type.Array(Profile, {
    maxItems: 10_000,
    description: 'of every planned model on every kind of device that holds it',
  }),
});
export type Plan = Static<typeof Plan>;

const Fence = { v: Type.Literal(1), epoch: Count('plan that it belongs to'), nonce: Type.String() };

/** Allocator → host. All orders are idempotent. `prepare` adds models; `release` leaves exactly `keep`. */
export const Order = Type.Union([
  Type.Object({ ...Fence, verb: Type.Literal('prepare'), models: PlannedHost.properties.models }),
  Type.Object({ ...Fence, verb: Type.Literal('release'), keep: Type.Array(Type.String(), { maxItems: 1024 }) }),
  Type.Object({
    ...Fence,
    verb: Type.Literal('profile'),
    model: Type.String({ description: 'model id, or id of a part' }),
    of: PlannedHost.properties.models.items.properties.of,
    tensors: PlannedHost.properties.models.items.properties.tensors,
    batchMax: Type.Integer({ minimum: 1 }),
  }),
  Type.Object({
    ...Fence,
    verb: Type.Literal('leave'),
    withinMs: Type.Optional(Ms('until the machine goes away: the host serves on, and leaves in time before that')),
  }),
]);
export type Order = Static<typeof Order>;

/** The order was understood and begun (its completion shows in the host's beats), or why not. */
export const OrderReply = Type.Union([
  Type.Object({ v: Type.Literal(1), accepted: Type.Literal(true) }),
  Type.Object({
    v: Type.Literal(1),
    accepted: Type.Literal(false),
    reason: Type.Enum(['fenced', 'memory', 'leaving', 'unknown-model', 'busy', 'failed']),
    detail: Type.String({ maxLength: 1024 }),
  }),
]);
export type OrderReply = Static<typeof OrderReply>;
