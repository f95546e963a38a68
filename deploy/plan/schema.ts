import { Type, type Static } from '../../contracts/index.ts';

/**
 * The workload file of `ganglion plan` (YAML or JSON). Unknown fields are errors: they are typing mistakes. Times in ms,
 * rates in Hz, memory in MB (10^6 bytes).
 */
const strict = { additionalProperties: false } as const;
const positive = (description: string) => Type.Number({ exclusiveMinimum: 0, description });
const atLeast0 = (description: string) => Type.Number({ minimum: 0, description });
const Name = (description: string) =>
  Type.String({ pattern: '^[^\\s\\u0000-\\u001f](.{0,126}[^\\s\\u0000-\\u001f])?$', description });

export const InlineCurve = Type.Object(
  {
    model: Name('model, prefix or suffix'),
    device: Name('kind of device'),
    alphaMs: atLeast0('ℓ(b) = α·b + β'),
    betaMs: atLeast0('ℓ(b) = α·b + β'),
    batchMax: Type.Integer({ minimum: 1, maximum: 4096, description: 'largest batch' }),
    preMs: Type.Optional(atLeast0('decoding and preprocessing of one input; default 0')),
    postMs: Type.Optional(atLeast0('postprocessing of one output; default 0')),
    persistentMB: Type.Optional(atLeast0('held while resident; default 0')),
    ephemeralMBPerItem: Type.Optional(atLeast0('working memory per input of a batch; default 0')),
  },
  strict,
);
export type InlineCurve = Static<typeof InlineCurve>;

const DeviceEntry = Type.Object(
  {
    kind: Name('kind of device, as in the profiles'),
    count: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'omitted: as many as are needed' }),
    ),
    memoryMB: positive('of one device, what may be planned with'),
    pricePerHour: Type.Optional(positive('of one device, in any currency; default 1')),
    revocable: Type.Optional(Type.Boolean({ description: 'may be taken away at short notice; default false' })),
    zone: Type.Optional(Name('failure domain; default: one for all')),
  },
  strict,
);

const demand = {
  rateHz: Type.Number({
    exclusiveMinimum: 0,
    maximum: 1e9,
    description: 'requests per second; leave out what has none',
  }),
  rateVariation: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 10,
      description: 'standard deviation of the rate between planning periods over its mean; default 0',
    }),
  ),
  tenant: Type.Optional(Name('default: default')),
  priority: Type.Optional(
    Type.Number({
      minimum: -1e6,
      maximum: 1e6,
      description: 'higher is served first when capacity is short; default 0',
    }),
  ),
  replicasMin: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1000,
      description: 'on at least so many devices, in different zones; default 1',
    }),
  ),
} as const;

const SessionEntry = Type.Object(
  {
    name: Name('unique'),
    model: Name('name of a profile'),
    sloMs: positive('latency objective, from arrival to answer'),
    ...demand,
  },
  strict,
);

const StageEntry = Type.Object(
  {
    model: Name('name of a profile'),
    from: Type.Optional(
      Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })], {
        description: 'stage or stages whose results it reads; omitted: it reads the frame',
      }),
    ),
    fanout: Type.Optional(
      Type.Union([positive('requests per result'), Type.Record(Type.String(), positive('requests per result'))], {
        description: 'γ: requests that one result makes, or one for each stage of `from`; default 1',
      }),
    ),
  },
  strict,
);
export type StageEntry = Static<typeof StageEntry>;

const QueryEntry = Type.Object(
  {
    name: Name('unique'),
    sloMs: positive('latency objective, from the frame to the last result'),
    ...demand,
    networkMs: Type.Optional(atLeast0('on the way of one request to a device and back, once per stage; default 0')),
    stages: Type.Record(Type.String({ pattern: '^[^\\s].{0,63}$' }), StageEntry, {
      minProperties: 1,
      maxProperties: 64,
      description: 'name: { model, from, fanout }',
    }),
  },
  strict,
);
export type QueryEntry = Static<typeof QueryEntry>;

const PrefixEntry = Type.Object(
  {
    members: Type.Array(Type.String(), { minItems: 2, description: 'names of sessions; of a stage <query>.<stage>' }),
    prefix: Name('name of the profile of what they share'),
    suffixes: Type.Record(Type.String(), Type.String(), { description: 'session: name of the profile of the rest' }),
  },
  strict,
);

const profileSource = Type.Union([Type.String({ description: 'a file' }), InlineCurve]);

export const WorkloadDocument = Type.Object(
  {
    devices: Type.Array(DeviceEntry, {
      minItems: 1,
      description: 'what there is: kind, count, memoryMB, pricePerHour',
    }),
    profiles: Type.Union([Type.String(), Type.Array(profileSource, { minItems: 1 })], {
      description:
        'CSV or JSON (of `ganglion profile`) beside this file, a folder of them, or a list of such and of curves',
    }),
    planWith: Type.Optional(
      Type.Union([Type.Literal('mean'), Type.Literal('mean+std'), Type.Literal('p99')], {
        description: 'which of the measured latencies a batch is planned to take; default mean+std',
      }),
    ),
    sessions: Type.Optional(Type.Array(SessionEntry, { description: '{ name, model, sloMs, rateHz }' })),
    queries: Type.Optional(Type.Array(QueryEntry, { description: '{ name, sloMs, rateHz, stages }' })),
    prefixes: Type.Optional(Type.Array(PrefixEntry, { description: '{ members, prefix, suffixes }' })),
  },
  strict,
);
export type WorkloadDocument = Static<typeof WorkloadDocument>;
