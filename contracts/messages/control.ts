import { Ms, Type, type Static } from '../schema.ts';
import { Plan } from './plan.ts';

/** Any control request may be answered with this instead. */
export const DrainRequest = Type.Object({
  v: Type.Literal(1),
  host: Type.String(),
  force: Type.Optional(Type.Boolean({ description: 'even if some model can then not be served' })),
  withinMs: Type.Optional(
    Ms('until its machine goes away: models move while there is time, then it leaves all the same; implies force'),
  ),
});
export type DrainRequest = Static<typeof DrainRequest>;
export const DrainReply = Type.Object({ v: Type.Literal(1), host: Type.String(), detail: Type.String() });
export type DrainReply = Static<typeof DrainReply>;

export const PlanRequest = Type.Object({ v: Type.Literal(1) });
export const PlanReply = Type.Object({ v: Type.Literal(1), plan: Type.Union([Plan, Type.Null()]) });

/** How an actor answers a request that it can't serve: sent in place of the reply. */
export const ErrorReply = Type.Object({
  error: Type.Object({ code: Type.String(), detail: Type.String({ maxLength: 2048 }), retryable: Type.Boolean() }),
});
export type ErrorReply = Static<typeof ErrorReply>;
