import { assign, setup } from 'xstate';

/** What the chart has done, and what it asks. */
export interface HostEffects {
  /** Nothing that was granted is left to do. */
  isIdle(): boolean;
  refuseRest(): void;
  depart(reason: string): void;
  crash(reason: string): void;
}

interface Context {
  readonly effects: HostEffects;
  readonly leaveMsMax: number;
  /** Why it leaves or failed. */
  readonly reason: string;
  /** Events that no state expected. */
  readonly unexpected: number;
}

export type HostEvent =
  | { type: 'open' }
  | { type: 'leave'; reason: string }
  /** Nothing that was granted is left to do. */
  | { type: 'finish' }
  | { type: 'lose'; reason: string };

/** Life of a host: one chart for all, the effects (beats, refusals, the end of the process) are in its context. */
export const hostChart = setup({
  types: {
    context: {} as Context,
    events: {} as HostEvent,
    input: {} as Pick<Context, 'effects' | 'leaveMsMax'>,
  },
  delays: { patience: ({ context }) => context.leaveMsMax },
  guards: { idle: ({ context }) => context.effects.isIdle() },
  actions: {
    noteReason: assign({ reason: ({ context, event }) => ('reason' in event ? event.reason : context.reason) }),
    countUnexpected: assign({ unexpected: ({ context }) => context.unexpected + 1 }),
    refuseRest: ({ context }) => context.effects.refuseRest(),
    depart: ({ context }) => context.effects.depart(context.reason),
    crash: ({ context }) => context.effects.crash(context.reason),
  },
}).createMachine({
  id: 'host',
  context: ({ input }) => ({ ...input, reason: '', unexpected: 0 }),
  initial: 'starting',
  on: { '*': { actions: 'countUnexpected' } },
  states: {
    starting: {
      on: { open: 'ready', lose: { target: 'failed', actions: 'noteReason' } },
    },
    ready: {
      on: {
        leave: { target: 'leaving', actions: 'noteReason' },
        lose: { target: 'failed', actions: 'noteReason' },
        finish: {},
      },
    },
    leaving: {
      always: { guard: 'idle', target: 'left' },
      after: { patience: { target: 'left', actions: 'refuseRest' } },
      on: { leave: {}, finish: 'left', lose: { target: 'failed', actions: 'noteReason' } },
    },
    left: { entry: 'depart', on: { leave: {}, finish: {}, lose: {} } },
    failed: { entry: 'crash', on: { leave: {}, finish: {}, lose: {} } },
  },
});
