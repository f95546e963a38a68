import { Type, type Static } from '../../contracts/index.ts';

/** Settings of a query router. All bounds: what is beyond them is rejected at the door with `overloaded`. */
export const RouterConfig = Type.Object(
  {
    inFlightMax: Type.Integer({ minimum: 1, default: 50_000, description: 'requests accepted and not ended' }),
    heldBytesMax: Type.Integer({
      minimum: 1,
      default: 512 * 1024 * 1024,
      description: 'payload bytes held: frames until their request ends, crops until they are answered',
    }),
    durableHeldMax: Type.Integer({
      minimum: 1,
      maximum: 4096,
      default: 64,
      description: 'stored frames of one durable query that are under way at once',
    }),
    crossStageDrop: Type.Boolean({
      default: true,
      description: 'requests are dropped before their first stage while later ones drop what it has worked for',
    }),
    borrow: Type.Boolean({
      default: true,
      description:
        'a stage whose share of the objective is too short for inputs that come together takes what later ones can spare',
    }),
    stopMs: Type.Number({
      minimum: 0,
      default: 5000,
      description: 'how long a router that is asked to stop finishes what it holds',
    }),
  },
  { additionalProperties: false },
);
export type RouterConfig = Static<typeof RouterConfig>;
