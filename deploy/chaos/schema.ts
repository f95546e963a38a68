import { Token, Type, type Static } from '../../contracts/index.ts';

/** The scenario file of `ganglion chaos` (YAML). Unknown fields are errors: they are typing mistakes. Times in s from the first counted frame. */
const strict = { additionalProperties: false } as const;
const seconds = (description: string) => Type.Number({ minimum: 0, maximum: 1e6, description });
const forS = Type.Number({ exclusiveMinimum: 0, maximum: 1e6, description: 'until it goes on' });
const atS = seconds('when');
const actor = Token('name of an actor as the cluster file gives it, e.g. gpu-2');

const Load = Type.Object(
  {
    stream: Token('frames are published under this name; a query of the cluster must read it'),
    query: Token('the one that must answer each of them'),
    rateHz: Type.Number({ exclusiveMinimum: 0, maximum: 10_000, description: 'frames a second' }),
    picture: Type.Optional(
      Type.String({ description: 'file beside this one (JPEG, PNG, WebP); default: a gray 640 × 360' }),
    ),
  },
  strict,
);

const RANDOM_FAULTS = ['kill', 'freeze', 'drain'] as const;

const Fault = Type.Union([
  Type.Object(
    { kind: Type.Literal('kill'), atS, actor },
    { ...strict, description: 'kill -9; the launcher starts it again' },
  ),
  Type.Object(
    { kind: Type.Literal('freeze'), atS, actor, forS },
    { ...strict, description: 'SIGSTOP, then SIGCONT: the process stands still with its connections open' },
  ),
  Type.Object(
    { kind: Type.Literal('drain'), atS, actor },
    { ...strict, description: 'a host is asked to leave, as `ganglion drain --force`; it does not come back' },
  ),
  Type.Object(
    { kind: Type.Literal('kill-nats'), atS },
    { ...strict, description: 'kill -9 of nats-server; the launcher starts it again with its files' },
  ),
  Type.Object(
    {
      kind: Type.Literal('random'),
      count: Type.Integer({ minimum: 1, maximum: 1000, description: 'faults' }),
      fromS: seconds('the first not before'),
      toS: seconds('the last not after'),
      what: Type.Array(Type.Enum([...RANDOM_FAULTS]), { minItems: 1, description: 'one of these each time' }),
      actors: Type.Array(actor, { minItems: 1, maxItems: 256, description: 'one of these each time' }),
      forS: Type.Optional(forS),
    },
    { ...strict, description: 'by the seed' },
  ),
]);
export type FaultEntry = Static<typeof Fault>;

export const ChaosDocument = Type.Object(
  {
    cluster: Type.String({ description: 'file of kind Cluster, beside this one; it is started for the run' }),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1, description: 'of random faults; default 1' })),
    durationS: Type.Number({ exclusiveMinimum: 0, maximum: 1e6, description: 'of the load' }),
    warmupS: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 3600, description: 'all queries must answer by then; default 120' }),
    ),
    settleS: Type.Optional(seconds('after the load, until what has no outcome counts as lost; default 35')),
    load: Type.Array(Load, { minItems: 1, maxItems: 64, description: '{ stream, query, rateHz }' }),
    faults: Type.Array(Fault, { minItems: 1, maxItems: 1000, description: '{ kind, atS, … }' }),
  },
  strict,
);
export type ChaosDocument = Static<typeof ChaosDocument>;
