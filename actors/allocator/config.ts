import { Type, type Static } from '../../contracts/index.ts';

const ms = (value: number, description: string) => Type.Number({ exclusiveMinimum: 0, default: value, description });

export const AllocatorConfig = Type.Object(
  {
    leaseMs: ms(5000, 'a leader that has not renewed its lease for so long is replaced'),
    epochS: ms(30, 'a new plan is considered at least so often, seconds'),
    epochMinMs: ms(10_000, 'least time between two plans, unless a host is lost or somebody asked for one'),
    gatherMs: ms(1500, 'a new leader listens for so long before its first plan'),
    prepareMs: ms(120_000, 'models must be loaded and warmed up within this, or the plan is given up'),
    commitMs: ms(10_000, 'so long for routers and batchers to follow before anything else may be planned'),
    drainMs: ms(60_000, 'so long for hosts to release before anything else may be planned'),
    silenceMs: ms(3000, 'whose beats stay away for so long is lost'),
    profileMs: ms(180_000, 'so long to measure one model before another host is asked'),
    barMs: ms(60_000, 'a model that could not be loaded on a host is not tried there again for so long'),
    slowMs: ms(60_000, 'a host that takes a multiple of its profiles is planned around for so long, then tried again'),
    averageMs: ms(10_000, 'rates are averaged over about so long; after it, measured ones replace declared ones'),
    headroom: Type.Number({
      minimum: 1,
      maximum: 10,
      default: 1.1,
      description: 'measured rates are planned times this',
    }),
    policy: Type.String({
      default: 'pooled',
      description:
        'pooled: hosts that hold the same take turns; nexus: each device by itself (SOSP 2019); batch-oblivious: devices in proportion ' +
        'to rate over throughput (what it was compared with); or the path of your own, ./mine.ts',
    }),
    split: Type.Enum(['optimal', 'even'], {
      default: 'optimal',
      description: "of a query's objective over its stages: so that they cost least, or all alike",
    }),
    prefixes: Type.Boolean({ default: true, description: 'models that share a prefix may run behind it in one batch' }),
    networkMs: Type.Number({
      minimum: 0,
      default: 3,
      description: 'reserve per stage of a query for the ways between router, batcher and host',
    }),
    replicasMin: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: 1,
      description: 'each model on at least so many hosts, where memory allows',
    }),
  },
  { additionalProperties: false },
);
export type AllocatorConfig = Static<typeof AllocatorConfig>;
