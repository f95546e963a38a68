import { ByteCount, Count, Ms, RateHz, Type, type Static } from '../schema.ts';
import { StreamNews } from './frame.ts';

/** What an actor process says of itself. */
const Vitals = {
  rssBytes: ByteCount('resident memory of the process'),
  loopDelayP99Ms: Ms('event-loop delay, 99th percentile since the previous beat'),
};

export const RESIDENCY_STATES = ['fetching', 'loading', 'warming', 'resident', 'releasing', 'failed'] as const;
export type ResidencyState = (typeof RESIDENCY_STATES)[number];

export const Resident = Type.Object({
  model: Type.String({ description: 'model id, or id of a part' }),
  state: Type.Enum([...RESIDENCY_STATES]),
  batches: Type.Array(Count('batch size that was warmed up'), { maxItems: 64 }),
  lane: Count('lane that it runs in'),
  persistentBytes: ByteCount('P: weights and what stays'),
  ephemeralBytes: ByteCount('E: working memory at the largest planned batch'),
  queued: Count('batches granted and not finished'),
  wholeBytes: Type.Optional(ByteCount('of a suffix: P that its whole model would take')),
  detail: Type.Optional(Type.String({ maxLength: 1024, description: 'failed: why' })),
});
export type Resident = Static<typeof Resident>;

export const DeviceReport = Type.Object({
  kind: Type.String({ description: 'devices of one kind share profiles' }),
  provider: Type.String({ description: 'what runs: cpu, cuda, tensorrt, …, or emulated' }),
  asked: Type.Array(Type.String(), { description: 'providers asked for, in order' }),
  tried: Type.Array(Type.Object({ provider: Type.String(), error: Type.Optional(Type.String({ maxLength: 1024 })) })),
  emulated: Type.Boolean(),
  memoryBytes: ByteCount('C: what may be planned with'),
  threads: Count('per run; 0 where the device decides'),
});
export type DeviceReport = Static<typeof DeviceReport>;

export const HOST_STATES = ['starting', 'ready', 'leaving', 'left', 'failed'] as const;

export const HostBeat = Type.Object({
  v: Type.Literal(1),
  state: Type.Enum([...HOST_STATES]),
  incarnation: Type.String({ description: 'new at each start of the process' }),
  device: DeviceReport,
  epoch: Count('highest plan it has obeyed'),
  nonce: Type.String({ description: 'of the leader that made that plan; empty before the first' }),
  residents: Type.Array(Resident, { maxItems: 1024 }),
  persistentBytes: ByteCount('ΣP'),
  ephemeralBytes: ByteCount('Σ over lanes of max E'),
  freeInMs: Ms('until the device is free of all it was granted'),
  backlog: Count('batches granted and not finished'),
  batches: Count('run since start'),
  invocations: Count('run since start'),
  refused: Count('invocations refused since start'),
  dropped: Count('invocations dropped since start'),
  failed: Count('invocations failed since start'),
  busyMs: Ms('device time since start'),
  ...Vitals,
});
export type HostBeat = Static<typeof HostBeat>;

export const QueryCounts = Type.Object({
  tenant: Type.String(),
  query: Type.String(),
  accepted: Count('since start'),
  ok: Count('since start'),
  late: Count('since start'),
  dropped: Count('since start'),
  failed: Count('since start'),
  rejected: Count('since start'),
  p50Ms: Ms('latency of requests that ended in the latest interval'),
  p99Ms: Ms('latency of requests that ended in the latest interval'),
});

export const RouterBeat = Type.Object({
  v: Type.Literal(1),
  epoch: Count('plan that it follows'),
  inFlight: Count('requests accepted and not ended'),
  heldBytes: ByteCount('payloads held'),
  queries: Type.Array(QueryCounts, { maxItems: 1024 }),
  stages: Type.Array(
    Type.Object({
      tenant: Type.String(),
      query: Type.String(),
      stage: Type.String(),
      rateHz: RateHz(
        'invocations per second over the latest interval; wanted ones, where requests were dropped or turned away',
      ),
      fanout: Type.Number({
        minimum: 0,
        description: 'γ: invocations per result of the previous stage, recent mean; 1 for a first stage',
      }),
      count: Count('invocations since start'),
    }),
    { maxItems: 4096 },
  ),
  duplicates: Count('answers for invocations that were already answered, ignored, since start'),
  reoffers: Count('since start'),
  intervalMs: Ms('length of the latest interval'),
  ...Vitals,
});
export type RouterBeat = Static<typeof RouterBeat>;

export const BatcherBeat = Type.Object({
  v: Type.Literal(1),
  epoch: Count('plan that it follows'),
  nonce: Type.String(),
  policy: Type.String(),
  incarnation: Type.Optional(Type.String({ description: 'new at each start of the process' })),
  leaving: Type.Optional(Type.Boolean({ description: 'it stops now: another one is to take its pools over at once' })),
  pools: Type.Array(
    Type.Object({
      pool: Type.String(),
      queued: Count('invocations waiting'),
      granted: Count('invocations granted since start'),
      batches: Count('since start'),
      mixed: Type.Optional(Count('batches of more than one model, since start')),
      models: Type.Optional(Count('models in each batch, summed over all since start')),
      dropped: Count('since start'),
      refused: Count('since start'),
    }),
    { maxItems: 256 },
  ),
  ailing: Type.Optional(
    Type.Array(
      Type.Object({
        host: Type.String(),
        times: Type.Number({ minimum: 0, description: 'measured by expected device time' }),
        wrong: Type.Number({ minimum: 0, maximum: 1, description: 'share of runs with outputs that can not be right' }),
        relieved: Type.Boolean({ description: 'it gets probes only' }),
      }),
      {
        maxItems: 1024,
        description:
          'hosts that take a multiple of what their profiles say and others take, or whose outputs are wrong',
      },
    ),
  ),
  ...Vitals,
});
export type BatcherBeat = Static<typeof BatcherBeat>;

export const SamplerBeat = Type.Object({
  v: Type.Literal(1),
  streams: Type.Array(
    Type.Object({
      tenant: Type.String(),
      stream: Type.String(),
      state: Type.Union([StreamNews.properties.state, Type.Literal('opening')]),
      sampled: Count('frames read at the sampling rate'),
      skipped: Count('unchanged, not published'),
      published: Count('frames published'),
      unsent: Count('frames lost because the bus was away'),
      missed: Type.Optional(Count('instants passed over because reading or encoding was behind')),
      broken: Type.Optional(Count('pictures that could not be decoded')),
      tooLarge: Type.Optional(Count('frames not published because they exceed max_payload even when made smaller')),
      reopened: Count('times that the source was reopened'),
      detail: Type.Optional(Type.String({ maxLength: 1024 })),
    }),
    { maxItems: 1024 },
  ),
  leaving: Type.Optional(Type.Boolean({ description: 'it stops now: the others take its streams over at once' })),
  ...Vitals,
});
export type SamplerBeat = Static<typeof SamplerBeat>;

export const EPOCH_PHASES = ['standby', 'observing', 'preparing', 'committing', 'draining'] as const;

export const AllocatorBeat = Type.Object({
  v: Type.Literal(1),
  role: Type.Enum(['leader', 'standby']),
  nonce: Type.String({ description: 'new at each start of leadership' }),
  phase: Type.Enum([...EPOCH_PHASES]),
  epoch: Count('plan in force'),
  epochs: Count('plans put in force by this leader'),
  modelsMoved: Count('models loaded on a host or released from one by plans of this leader'),
  waitingFor: Type.Array(Type.String({ maxLength: 256 }), {
    maxItems: 64,
    description: 'what the current phase waits for',
  }),
  avoiding: Type.Optional(
    Type.Array(Type.String(), {
      maxItems: 1024,
      description: 'hosts that are not well: the latest plan does without them',
    }),
  ),
  detail: Type.Optional(
    Type.String({
      maxLength: 1024,
      description: 'the latest event worth telling: why a plan was made, why one was aborted',
    }),
  ),
  ...Vitals,
});
export type AllocatorBeat = Static<typeof AllocatorBeat>;
