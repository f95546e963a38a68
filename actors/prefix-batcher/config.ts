import { Type, type Static } from '../../contracts/index.ts';

export const BatcherConfig = Type.Object({
  policy: Type.String({
    default: 'hybrid',
    description: 'hybrid, eager, deferred; nexus, timeout, aimd: what others do; or the path of your own, ./mine.ts',
  }),
  policyOptions: Type.Record(Type.String(), Type.Unknown(), {
    default: {},
    description: 'of the policy: `drop` (early, lazy) of nexus, `batch` and `timeoutMs` of timeout, see policies.md',
  }),
  marginMsMin: Type.Number({
    minimum: 0,
    default: 1,
    description: 'least margin on a run; none is kept on an emulated device without deviation',
  }),
  returnMs: Type.Number({
    minimum: 0,
    default: 1,
    description: 'first guess of the ways of an offer and an answer together; learned from then on',
  }),
  queueMax: Type.Integer({ minimum: 1, default: 20_000, description: 'invocations waiting, over all pools' }),
  leadTransitMs: Type.Number({
    minimum: 0,
    default: 1,
    description: 'first guess of what hosts can not measure of the lead: lateness of timers, the way of an outline',
  }),
  leadFixedMs: Type.Number({
    minimum: 0,
    default: 1,
    description: 'first guess of the time from an outline until the payloads are there; learned from then on',
  }),
  leadBytesPerMs: Type.Number({ exclusiveMinimum: 0, default: 200_000, description: 'first guess of the transport' }),
  leadMsMax: Type.Number({ minimum: 0, default: 50, description: 'grants are never given earlier than that' }),
  decodersPerHost: Type.Integer({
    minimum: 1,
    default: 4,
    description: 'first guess: inputs that a host decodes at once',
  }),
});
export type BatcherConfig = Static<typeof BatcherConfig>;
