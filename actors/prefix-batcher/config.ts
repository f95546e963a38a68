import { Type, type Static } from '../../contracts/index.ts';

export const BatcherConfig = Type.Object({
  policy: Type.String({ default: 'hybrid', description: 'hybrid, eager, deferred, or one of your own' }),
  marginMsMin: Type.Number({
    minimum: 0,
    default: 1,
    description: 'least margin on a run; none is kept on an emulated device without deviation',
  }),
  returnMs: Type.Number({
    minimum: 0,
    default: 1,
    description: 'from the end of a run until the router has the answer',
  }),
  queueMax: Type.Integer({ minimum: 1, default: 20_000, description: 'invocations waiting, over all pools' }),
  leadFixedMs: Type.Number({
    minimum: 0,
    default: 1.5,
    description: 'first guess of the time from a grant until the payloads are on the host; learned from there',
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
