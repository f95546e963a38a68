import { QueryDocument, QueryStage, Token, TOKEN_PATTERN, Type, type Static } from '../../contracts/index.ts';
import { PoliciesEntry } from './policies.ts';

/**
 * The scenario file of `ganglion simulate` (YAML). Unknown fields are errors: they are typing mistakes. Rates in Hz, memory in MB
 * (10^6 bytes); times in ms where things are quick, in seconds (from the start of the streams) where a run is described.
 */
const strict = { additionalProperties: false } as const;
const positive = (description: string) => Type.Number({ exclusiveMinimum: 0, description });
const atLeast0 = (description: string) => Type.Number({ minimum: 0, description });
const seconds = (description: string) => Type.Number({ minimum: 0, maximum: 1e6, description });
const count = (description: string, maximum: number) => Type.Integer({ minimum: 1, maximum, description });

const DeviceEntry = Type.Object(
  {
    kind: Token('devices of one kind share profiles'),
    count: Type.Optional(count('default 1', 10_000)),
    memoryMB: Type.Optional(positive('of one device; default 8192')),
    cores: Type.Optional(count('CPU cores beside each that prepare inputs; default 4', 256)),
  },
  strict,
);

const Boxes = Type.Union(
  [
    Type.Number({ minimum: 0, maximum: 1000 }),
    Type.Record(Type.String({ pattern: TOKEN_PATTERN }), Type.Number({ minimum: 0, maximum: 1000 }), {
      minProperties: 1,
      maxProperties: 32,
    }),
  ],
  { description: 'makes it a detector: mean number of boxes it pretends to find (Poisson), or one for each label' },
);

const ModelEntry = Type.Object(
  {
    name: Token('unique'),
    profile: Type.Optional(Type.String({ description: 'its name in `profiles`; default: its own name' })),
    alphaMs: Type.Optional(atLeast0('instead of a profile: ℓ(b) = α·b + β on every kind of device')),
    betaMs: Type.Optional(atLeast0('ℓ(b) = α·b + β')),
    batchMax: Type.Optional(count('largest batch; default 64, or that of the profile', 1024)),
    persistentMB: Type.Optional(atLeast0('held while resident; default 100')),
    ephemeralMBPerItem: Type.Optional(atLeast0('working memory per input of a batch; default 10')),
    loadMs: Type.Optional(atLeast0('from bytes to ready; default 0')),
    preMs: Type.Optional(atLeast0('to prepare one input on one CPU core; default 0')),
    boxes: Type.Optional(Boxes),
    prefix: Type.Optional(
      Type.Object(
        {
          name: Token('models that declare the same prefix, name and figures, share it'),
          alphaMs: atLeast0('of the prefix alone'),
          betaMs: atLeast0('of the prefix alone'),
          persistentMB: atLeast0('of the prefix alone'),
        },
        { ...strict, description: 'a leading part that it shares with other models' },
      ),
    ),
  },
  strict,
);
export type ModelEntry = Static<typeof ModelEntry>;

const { kind: _, stages: __, delivery: ___, ...queryFields } = QueryDocument.properties;
const QueryEntry = Type.Object(
  {
    ...queryFields,
    stages: Type.Record(Type.String({ pattern: TOKEN_PATTERN }), QueryStage, {
      minProperties: 1,
      maxProperties: 64,
    }),
  },
  strict,
);
export type QueryEntry = Static<typeof QueryEntry>;

const Arrivals = Type.Union([
  Type.Object({ kind: Type.Literal('constant') }, { ...strict, description: 'evenly spaced' }),
  Type.Object({ kind: Type.Literal('poisson') }, { ...strict, description: 'independent of each other' }),
  Type.Object(
    {
      kind: Type.Literal('bursty'),
      factor: Type.Number({ minimum: 1, maximum: 1000, description: 'rate in a burst over the rate between bursts' }),
      burstS: positive('mean duration of a burst'),
      everyS: positive('mean time from the beginning of one burst to the next'),
    },
    { ...strict, description: 'Poisson, faster in bursts of random duration; `rateHz` is the mean over all' },
  ),
  Type.Object(
    {
      kind: Type.Literal('trace'),
      file: Type.String({ description: 'CSV beside this file with columns timeS and rateHz (or factor, of `rateHz`)' }),
    },
    { ...strict, description: 'Poisson with rates that change as the file says; after the last line it begins again' },
  ),
]);
export type ArrivalsEntry = Static<typeof Arrivals>;

const Surge = Type.Object(
  {
    fromS: seconds('beginning'),
    toS: seconds('end'),
    factor: Type.Number({ minimum: 0, maximum: 1000, description: 'times the rate' }),
  },
  strict,
);
export type SurgeEntry = Static<typeof Surge>;

const StreamEntry = Type.Object(
  {
    name: Token('of the stream; with `count` the beginning of the names: <name>-1, <name>-2, …'),
    tenant: Type.Optional(Token('default: default')),
    count: Type.Optional(count('streams like this; default 1', 10_000)),
    rateHz: positive('frames a second, of each'),
    arrivals: Type.Optional(Arrivals),
    surges: Type.Optional(Type.Array(Surge, { description: 'times in which the rate is another' })),
    fromS: Type.Optional(seconds('it begins then; default 0')),
    toS: Type.Optional(seconds('it ends then; default: with the run')),
  },
  strict,
);
export type StreamEntry = Static<typeof StreamEntry>;

const host = Token('of a host: gpu-1, gpu-2, … in the order of `devices`');
const atS = seconds('when');
const Fault = Type.Union([
  Type.Object(
    { kind: Type.Literal('kill'), atS, host, forS: Type.Optional(positive('it is started again after this')) },
    { ...strict, description: 'the process is gone without a word' },
  ),
  Type.Object(
    { kind: Type.Literal('freeze'), atS, host, forS: positive('then it goes on where it stopped') },
    { ...strict, description: 'the process stands still and is heard of no more' },
  ),
  Type.Object(
    {
      kind: Type.Literal('slow'),
      atS,
      host,
      factor: Type.Number({ exclusiveMinimum: 0, maximum: 1000, description: 'times as long as it should' }),
      forS: Type.Optional(positive('default: until the end')),
    },
    { ...strict, description: 'batches take longer than the profile says' },
  ),
  Type.Object({ kind: Type.Literal('drain'), atS, host }, { ...strict, description: 'as `ganglion drain --force`' }),
  Type.Object(
    {
      kind: Type.Literal('add'),
      atS,
      device: Type.Optional(Token('kind of device; default: the first')),
      count: Type.Optional(count('default 1', 1000)),
    },
    { ...strict, description: 'new hosts arrive' },
  ),
]);
export type FaultEntry = Static<typeof Fault>;

const Config = Type.Record(Type.String(), Type.Unknown());

export const ScenarioDocument = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 128, description: 'for people; default: the name of the file' })),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1, description: 'default 1' })),
    durationS: Type.Number({ exclusiveMinimum: 0, maximum: 1e6, description: 'that is measured, after the warm-up' }),
    warmupS: Type.Optional(seconds('streams run for so long before anything is counted; default 5')),
    devices: Type.Array(DeviceEntry, { minItems: 1, maxItems: 64, description: '{ kind, count, memoryMB }' }),
    profiles: Type.Optional(
      Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })], {
        description: 'CSV or JSON (of `ganglion profile`) beside this file, a folder of them, or a list of such',
      }),
    ),
    models: Type.Array(ModelEntry, {
      minItems: 1,
      maxItems: 1024,
      description: '{ name, profile } or { name, alphaMs, betaMs }',
    }),
    queries: Type.Array(QueryEntry, {
      minItems: 1,
      maxItems: 1024,
      description: 'as in a Query document, without `kind`',
    }),
    streams: Type.Array(StreamEntry, { minItems: 1, maxItems: 1024, description: '{ name, rateHz, arrivals }' }),
    surges: Type.Optional(Type.Array(Surge, { description: 'of all streams, besides their own' })),
    network: Type.Optional(
      Type.Object(
        {
          oneWayMs: Type.Optional(atLeast0('of each message; default 0.2')),
          jitterMs: Type.Optional(atLeast0('mean of an exponential delay on top; order is kept; default 0')),
        },
        strict,
      ),
    ),
    deviation: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: 'relative standard deviation of execution times; default 0' }),
    ),
    frameBytes: Type.Optional(count('size of a frame; default 500', 1_000_000)),
    policies: Type.Optional(PoliciesEntry),
    routers: Type.Optional(count('default 1', 64)),
    batchers: Type.Optional(count('default 1', 64)),
    config: Type.Optional(
      Type.Object(
        {
          'query-router': Type.Optional(Config),
          'prefix-batcher': Type.Optional(Config),
          'gpu-host': Type.Optional(Config),
          allocator: Type.Optional(Config),
        },
        { ...strict, description: 'by actor: fields of its configuration, see configuration.md' },
      ),
    ),
    faults: Type.Optional(Type.Array(Fault, { description: 'what happens to hosts: { kind, atS, host }' })),
  },
  strict,
);
export type ScenarioDocument = Static<typeof ScenarioDocument>;
