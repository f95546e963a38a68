import { assign, fromPromise, setup } from 'xstate';
import { describeError } from '../../contracts/index.ts';
import type { LoadedModel, ModelFiles } from '../../gpu-host/index.ts';

/** What a plan wants of a model, or of a part of one, on this host. */
export interface Planned {
  readonly model: string;
  /** Of a prefix: the model to take it from. */
  readonly of?: string | undefined;
  /** Of a prefix: what it gives, where that is more than this model needs. */
  readonly tensors?: readonly string[] | undefined;
  readonly lane: number;
  /** Sizes to warm up. */
  readonly batches: readonly number[];
  readonly batchMax: number;
}

interface Sizes {
  readonly cold: readonly number[];
  readonly warmed: number[];
}

/** What a chart has done. */
export interface ResidentEffects {
  fetch(model: string): Promise<ModelFiles>;
  load(planned: Planned, files: ModelFiles): Promise<LoadedModel>;
  /** Runs each size once, and puts it among those that are `warmed`. */
  warm(model: string, loaded: LoadedModel, sizes: Sizes, signal: AbortSignal): Promise<void>;
  unload(model: string, loaded: LoadedModel): Promise<void>;
  /** Nothing queued needs it. */
  isUnused(model: string): boolean;
}

interface Context {
  readonly effects: ResidentEffects;
  /** In force: while two plans are, the larger batches of both. */
  readonly planned: Planned;
  /** Of the latest order. */
  readonly ordered: Planned;
  readonly wanted: boolean;
  /** Sizes that it has run, in their order. Grows while it is warmed up: no event for each, of which there are dozens. */
  readonly warmed: number[];
  readonly files: ModelFiles | undefined;
  readonly loaded: LoadedModel | undefined;
  /** Why it failed, or could not be warmed up at some size. */
  readonly detail: string | undefined;
  readonly unexpected: number;
}

export type ResidentEvent =
  | { type: 'prepare'; planned: Planned }
  | { type: 'release' }
  /** An order kept it: only the latest plan is in force. */
  | { type: 'keep' }
  /** It can't be used as it was meant to. */
  | { type: 'fail'; error: unknown }
  /** Nothing queued needs it. */
  | { type: 'idle' };

const coldSizes = ({ planned, warmed }: Context): number[] => planned.batches.filter(b => !warmed.includes(b));

const all = ({ context }: { context: Context }): Context => context;

const errorOf = ({ event }: { event: { error: unknown } }) => ({ error: event.error });
const loadedOf = ({ event }: { event: { output: LoadedModel } }) => ({ loaded: event.output });

/** Life of one model on a host: one chart for all, the effects are in its context. */
export const residentChart = setup({
  types: { context: {} as Context, events: {} as ResidentEvent, input: {} as Pick<Context, 'planned' | 'effects'> },
  actors: {
    fetch: fromPromise<ModelFiles, Context>(({ input: { effects, planned } }) => effects.fetch(planned.model)),
    load: fromPromise<LoadedModel, Context>(({ input: { effects, planned, files } }) => effects.load(planned, files!)),
    warm: fromPromise<void, Context>(({ input, signal }) =>
      input.effects.warm(input.planned.model, input.loaded!, { cold: coldSizes(input), warmed: input.warmed }, signal),
    ),
    unload: fromPromise<void, Context>(({ input }) => input.effects.unload(input.planned.model, input.loaded!)),
  },
  guards: {
    unwanted: ({ context }) => !context.wanted,
    broken: ({ context }) => context.detail !== undefined,
    cold: ({ context }) => coldSizes(context).length > 0,
    unused: ({ context: { effects, planned } }) => effects.isUnused(planned.model),
  },
  actions: {
    want: assign(({ context, event }) => {
      if (event.type !== 'prepare') return {};
      const { planned } = event;
      const batchMax = Math.max(planned.batchMax, context.planned.batchMax);
      return { planned: { ...planned, batchMax }, ordered: planned, wanted: true, detail: undefined };
    }),
    startOver: assign(({ context }) => ({ planned: context.ordered, warmed: [], files: undefined, loaded: undefined })),
    settle: assign({ planned: ({ context }) => context.ordered }),
    unwant: assign({ wanted: false }),
    noteLoaded: assign((_, { loaded }: { loaded: LoadedModel }) => ({ loaded, files: undefined })),
    noteFailure: assign({ detail: (_, params: { error: unknown }) => describeError(params.error).slice(0, 1024) }),
    giveUpColdSizes: assign({
      planned: ({ context }) => ({ ...context.planned, batches: [...context.warmed] }),
    }),
    countUnexpected: assign({ unexpected: ({ context }) => context.unexpected + 1 }),
  },
}).createMachine({
  id: 'resident',
  context: ({ input }) => ({
    effects: input.effects,
    planned: input.planned,
    ordered: input.planned,
    wanted: true,
    warmed: [],
    files: undefined,
    loaded: undefined,
    detail: undefined,
    unexpected: 0,
  }),
  initial: 'fetching',
  on: { keep: { actions: 'settle' }, idle: {}, '*': { actions: 'countUnexpected' } },
  states: {
    fetching: {
      invoke: {
        src: 'fetch',
        input: all,
        onDone: { target: 'loading', actions: assign({ files: ({ event }) => event.output }) },
        onError: { target: 'failed', actions: { type: 'noteFailure', params: errorOf } },
      },
      on: { prepare: { actions: 'want' }, release: { target: 'gone', actions: 'unwant' } },
    },
    loading: {
      // A load under way can't be called back: a release waits for its end.
      invoke: {
        src: 'load',
        input: all,
        onDone: [
          { guard: 'unwanted', target: 'releasing', actions: { type: 'noteLoaded', params: loadedOf } },
          { target: 'warming', actions: { type: 'noteLoaded', params: loadedOf } },
        ],
        onError: { target: 'failed', actions: { type: 'noteFailure', params: errorOf } },
      },
      on: { prepare: { actions: 'want' }, release: { actions: 'unwant' } },
    },
    warming: {
      invoke: {
        src: 'warm',
        input: all,
        onDone: 'resident',
        onError: {
          target: 'releasing',
          actions: { type: 'noteFailure', params: errorOf },
        },
      },
      on: {
        prepare: { actions: 'want' },
        release: { target: 'releasing', actions: 'unwant' },
      },
    },
    resident: {
      initial: 'serving',
      states: {
        serving: { always: { guard: 'cold', target: 'extending' } },
        extending: {
          invoke: {
            src: 'warm',
            input: all,
            onDone: 'serving',
            onError: {
              target: 'serving',
              actions: [{ type: 'noteFailure', params: errorOf }, 'giveUpColdSizes'],
            },
          },
        },
      },
      on: {
        prepare: { actions: 'want' },
        release: { target: 'draining', actions: 'unwant' },
        fail: { target: 'draining', actions: { type: 'noteFailure', params: errorOf } },
      },
    },
    draining: {
      always: { guard: 'unused', target: 'releasing' },
      on: { idle: 'releasing', prepare: { target: 'resident', actions: 'want' }, release: {} },
    },
    releasing: {
      invoke: {
        src: 'unload',
        input: all,
        onDone: 'released',
        onError: 'released',
      },
      on: { prepare: { actions: 'want' }, release: { actions: 'unwant' } },
    },
    released: {
      always: [
        { guard: 'unwanted', target: 'gone' },
        { guard: 'broken', target: 'failed' },
        { target: 'fetching', actions: 'startOver' },
      ],
    },
    failed: {
      on: {
        prepare: { target: 'fetching', actions: ['want', 'startOver'] },
        release: { target: 'gone', actions: 'unwant' },
      },
    },
    gone: { type: 'final' },
  },
});
