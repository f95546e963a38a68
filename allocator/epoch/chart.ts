import { assign, setup } from 'xstate';
import type { Plan } from '../../contracts/index.ts';

export interface EpochSettings {
  /** Least time between the end of one change of epoch and a next one that isn't urgent. */
  readonly epochMinMs: number;
  readonly prepareMs: number;
  readonly commitMs: number;
  readonly drainMs: number;
}

export interface EpochContext {
  readonly settings: EpochSettings;
  /** After taking over: how long to listen to beats before the first plan. */
  readonly gatherMs: number;
  /** A re-plan that is asked for and not yet begun. */
  readonly pending: { readonly reason: string; readonly urgent: boolean } | undefined;
  /** Why the latest plan was made. */
  readonly reason: string;
  /** What is being prepared. */
  readonly candidate: Plan | undefined;
  /** The candidate is only a step: another plan follows once it is drained. */
  readonly partial: boolean;
  /** Committed. */
  readonly inForce: Plan | undefined;
  /** Plans put in force since leading. */
  readonly epochs: number;
  readonly aborts: number;
  /** The latest event worth telling. */
  readonly detail: string;
  /** Events that no state expected. */
  readonly unexpected: number;
}

export type EpochEvent =
  /** Leadership was won; the plan found in force, if any. */
  | { readonly type: 'lead'; readonly inForce: Plan | undefined; readonly gatherMs: number }
  | { readonly type: 'depose'; readonly reason: string }
  /** Somebody wants a new plan; an urgent one doesn't wait for the least length of an epoch. */
  | { readonly type: 'replan'; readonly reason: string; readonly urgent: boolean }
  /** Answers to `makePlan`. */
  | { readonly type: 'draft'; readonly plan: Plan; readonly partial: boolean }
  | { readonly type: 'keep'; readonly detail: string }
  | { readonly type: 'block'; readonly detail: string }
  /** All that the phase waits for has happened. */
  | { readonly type: 'complete' }
  /** A host can't do what the candidate asks of it. */
  | { readonly type: 'refuse'; readonly detail: string }
  /** A host or batcher is gone. */
  | { readonly type: 'lose'; readonly who: string }
  /** Hosts hold what the plan in force doesn't give them. */
  | { readonly type: 'tidy' };

/** The change of epochs: gather, plan, prepare, commit, drain; abort from any step. Effects are the named actions. */
export const epochChart = setup({
  types: {
    context: {} as EpochContext,
    events: {} as EpochEvent,
    input: {} as EpochSettings,
  },
  delays: {
    gathered: ({ context }) => context.gatherMs,
    epochMin: ({ context }) => context.settings.epochMinMs,
    prepareDeadline: ({ context }) => context.settings.prepareMs,
    commitDeadline: ({ context }) => context.settings.commitMs,
    drainDeadline: ({ context }) => context.settings.drainMs,
  },
  guards: {
    hasPending: ({ context }) => context.pending !== undefined,
    hasUrgent: ({ context }) => context.pending?.urgent ?? false,
    isPartial: ({ context }) => context.partial,
  },
  actions: {
    makePlan: () => mustBeProvided('makePlan'),
    orderPrepare: () => mustBeProvided('orderPrepare'),
    publishPlan: () => mustBeProvided('publishPlan'),
    orderRelease: () => mustBeProvided('orderRelease'),
    /** What kept the preparation from ending is remembered against the hosts that it waited for. */
    blame: () => mustBeProvided('blame'),
    stepDown: () => mustBeProvided('stepDown'),
    remember: assign({
      pending: ({ context, event }) =>
        event.type === 'replan'
          ? {
              reason: context.pending ? `${context.pending.reason}; ${event.reason}`.slice(0, 300) : event.reason,
              urgent: event.urgent || (context.pending?.urgent ?? false),
            }
          : context.pending,
    }),
    rememberLoss: assign({
      pending: ({ event }) => ({ reason: event.type === 'lose' ? `${event.who} is gone` : 'loss', urgent: true }),
    }),
    begin: assign({
      reason: ({ context }) => context.pending?.reason ?? context.reason,
      detail: ({ context }) => `planning: ${context.pending?.reason ?? context.reason}`,
      pending: undefined,
      candidate: undefined,
      partial: false,
    }),
    adopt: assign({
      candidate: ({ context, event }) => (event.type === 'draft' ? event.plan : context.candidate),
      partial: ({ event }) => event.type === 'draft' && event.partial,
      detail: ({ context, event }) =>
        event.type === 'draft' ? `epoch ${event.plan.epoch}: ${context.reason}` : context.detail,
    }),
    enforce: assign({
      inForce: ({ context }) => context.candidate,
      candidate: undefined,
      epochs: ({ context }) => context.epochs + 1,
    }),
    dropCandidate: assign({
      aborts: ({ context }) => context.aborts + 1,
      candidate: undefined,
      partial: false,
      detail: ({ context, event }, params: { why?: string } | undefined) =>
        `epoch ${context.candidate?.epoch ?? '?'} was aborted: ${params?.why ?? whyOf(event)}`,
    }),
    retryLater: assign({
      pending: ({ context }) => context.pending ?? { reason: `again, ${context.detail}`.slice(0, 300), urgent: false },
    }),
    nextStep: assign({ pending: { reason: 'the next step of a move', urgent: true }, partial: false }),
    tell: assign({ detail: (_, params: { what: string }) => params.what }),
    tellWhy: assign({ detail: ({ event }) => whyOf(event) }),
    takeOver: assign({
      inForce: ({ event }) => (event.type === 'lead' ? event.inForce : undefined),
      gatherMs: ({ event }) => (event.type === 'lead' ? event.gatherMs : 0),
      pending: { reason: 'a new leader', urgent: true },
      epochs: 0,
      candidate: undefined,
      partial: false,
    }),
    count: assign({ unexpected: ({ context }) => context.unexpected + 1 }),
  },
}).createMachine({
  id: 'epoch',
  context: ({ input }) => ({
    settings: input,
    gatherMs: 0,
    pending: undefined,
    reason: '',
    candidate: undefined,
    partial: false,
    inForce: undefined,
    epochs: 0,
    aborts: 0,
    detail: 'standing by',
    unexpected: 0,
  }),
  initial: 'standby',
  on: {
    '*': { actions: 'count' },
  },
  states: {
    standby: { on: { lead: { target: 'leading', actions: 'takeOver' }, depose: {} } },
    leading: {
      initial: 'gathering',
      on: {
        depose: { target: 'standby', actions: ['tellWhy', 'stepDown'] },
        replan: { actions: 'remember' },
      },
      states: {
        /** Beats of hosts, routers and batchers tell the truth; what the former leader wrote does not. */
        gathering: { after: { gathered: 'planning' }, on: { lose: {} } },
        resting: {
          always: { guard: 'hasUrgent', target: 'planning' },
          after: { epochMin: 'open' },
          on: {
            lose: { target: 'planning', actions: 'rememberLoss' },
            tidy: 'draining',
          },
        },
        open: {
          always: { guard: 'hasPending', target: 'planning' },
          on: {
            lose: { target: 'planning', actions: 'rememberLoss' },
            tidy: 'draining',
          },
        },
        planning: {
          entry: ['begin', 'makePlan'],
          on: {
            draft: { target: 'preparing', actions: 'adopt' },
            keep: { target: 'open', actions: 'tellWhy' },
            block: { target: 'resting', actions: ['tellWhy', 'retryLater'] },
            lose: { actions: 'rememberLoss' },
          },
        },
        preparing: {
          entry: 'orderPrepare',
          after: {
            prepareDeadline: {
              target: 'resting',
              actions: ['blame', { type: 'dropCandidate', params: { why: 'not prepared in time' } }, 'retryLater'],
            },
          },
          on: {
            complete: 'committing',
            refuse: { target: 'resting', actions: ['dropCandidate', 'retryLater'] },
            lose: { target: 'planning', actions: ['dropCandidate', 'rememberLoss'] },
          },
        },
        committing: {
          entry: ['enforce', 'publishPlan'],
          after: {
            commitDeadline: {
              target: 'resting',
              actions: { type: 'tell', params: { what: 'not everybody follows the plan yet: nothing is released' } },
            },
          },
          on: {
            complete: 'draining',
            lose: { target: 'planning', actions: 'rememberLoss' },
          },
        },
        draining: {
          entry: 'orderRelease',
          after: {
            drainDeadline: {
              target: 'resting',
              actions: {
                type: 'tell',
                params: { what: 'not everything was released in time; it will be tried again' },
              },
            },
          },
          on: {
            complete: [{ guard: 'isPartial', target: 'resting', actions: 'nextStep' }, { target: 'resting' }],
            lose: { target: 'planning', actions: 'rememberLoss' },
          },
        },
      },
    },
  },
});

function whyOf(event: EpochEvent): string {
  switch (event.type) {
    case 'lose':
      return `${event.who} is gone`;
    case 'refuse':
    case 'block':
    case 'keep':
      return event.detail;
    case 'depose':
      return event.reason;
    default:
      return event.type;
  }
}

function mustBeProvided(name: string): never {
  throw new Error(`the host of the chart must provide ${name}`);
}
