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

interface Context {
  /** In force: while two plans are, the larger batches of both. */
  readonly planned: Planned;
  /** Of the latest order. */
  readonly ordered: Planned;
  readonly wanted: boolean;
  readonly warmed: readonly number[];
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
  | { type: 'warmed'; batch: number }
  /** It can't be used as it was meant to. */
  | { type: 'fail'; error: unknown }
  /** Nothing queued needs it. */
  | { type: 'idle' };

const provided = (what: string) => () => Promise.reject(new Error(`${what} must be provided`));
const coldSizes = ({ planned, warmed }: Context): number[] => planned.batches.filter(b => !warmed.includes(b));

const warmthOf = ({ context }: { context: Context }) => {
  return { model: context.planned.model, loaded: context.loaded!, sizes: coldSizes(context) };
};

const errorOf = ({ event }: { event: { error: unknown } }) => ({ error: event.error });
const loadedOf = ({ event }: { event: { output: LoadedModel } }) => ({ loaded: event.output });

/** Life of one model on a host. The effects (fetch, load, warm, unload) are provided by residents.ts. */
export const residentChart = setup({
  types: { context: {} as Context, events: {} as ResidentEvent, input: {} as Planned },
  actors: {
    fetch: fromPromise<ModelFiles, { model: string }>(provided('fetch')),
    load: fromPromise<LoadedModel, { files: ModelFiles; planned: Planned }>(provided('load')),
    warm: fromPromise<void, { model: string; loaded: LoadedModel; sizes: number[] }>(provided('warm')),
    unload: fromPromise<void, { model: string; loaded: LoadedModel }>(provided('unload')),
  },
  guards: {
    unwanted: ({ context }) => !context.wanted,
    broken: ({ context }) => context.detail !== undefined,
    cold: ({ context }) => coldSizes(context).length > 0,
    unused: () => true,
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
    noteWarmed: assign({
      warmed: ({ context, event }) =>
        event.type === 'warmed' ? [...context.warmed, event.batch].sort((a, b) => a - b) : context.warmed,
    }),
    noteFailure: assign({ detail: (_, params: { error: unknown }) => describeError(params.error).slice(0, 1024) }),
    giveUpColdSizes: assign({
      planned: ({ context }) => ({ ...context.planned, batches: context.warmed }),
    }),
    countUnexpected: assign({ unexpected: ({ context }) => context.unexpected + 1 }),
  },
}).createMachine({
  id: 'resident',
  context: ({ input }) => ({
    planned: input,
    ordered: input,
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
        input: ({ context }) => ({ model: context.planned.model }),
        onDone: { target: 'loading', actions: assign({ files: ({ event }) => event.output }) },
        onError: { target: 'failed', actions: { type: 'noteFailure', params: errorOf } },
      },
      on: { prepare: { actions: 'want' }, release: { target: 'gone', actions: 'unwant' } },
    },
    loading: {
      // A load under way can't be called back: a release waits for its end.
      invoke: {
        src: 'load',
        input: ({ context }) => ({ files: context.files!, planned: context.planned }),
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
        input: warmthOf,
        onDone: 'resident',
        onError: {
          target: 'releasing',
          actions: { type: 'noteFailure', params: errorOf },
        },
      },
      on: {
        warmed: { actions: 'noteWarmed' },
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
            input: warmthOf,
            onDone: 'serving',
            onError: {
              target: 'serving',
              actions: [{ type: 'noteFailure', params: errorOf }, 'giveUpColdSizes'],
            },
          },
          on: { warmed: { actions: 'noteWarmed' } },
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
      on: { idle: 'releasing', prepare: { target: 'resident', actions: 'want' }, release: {}, warmed: {} },
    },
    releasing: {
      invoke: {
        src: 'unload',
        input: ({ context }) => ({ model: context.planned.model, loaded: context.loaded! }),
        onDone: 'released',
        onError: 'released',
      },
      on: { prepare: { actions: 'want' }, release: { actions: 'unwant' }, warmed: {} },
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
