/** Compile-time checks: each `@ts-expect-error` must be an error. */
import { actor } from '../../actors/actor/index.ts';
import { Type, subject, subjects } from '../../contracts/index.ts';

export const fine = actor({
  name: 'fine',
  version: '1.0.0',
  description: 'listens and answers',
  config: Type.Object({ factor: Type.Number({ default: 2 }) }),
  state: init => ({ seen: 0, factor: init.config.factor }),
  on: {
    results: {
      handle: (ctx, result, { params }) => {
        ctx.state.seen += result.latencyMs * ctx.config.factor;
        const tenant: string = params.tenant;
        // @ts-expect-error no such parameter
        const nobody: string = params.nobody;
        const picture = { encoding: 'jpeg', data: new Uint8Array() } as const;
        ctx.publish(subjects.frames, { tenant, stream: nobody }, { v: 1, seq: 1, picture });
        // @ts-expect-error a missing parameter
        ctx.publish(subjects.frames, { tenant }, { v: 1, seq: 1, picture });
        // @ts-expect-error wrong message
        ctx.publish(subjects.frames, { tenant, stream: 's' }, { v: 1, seq: 'one', picture });
        // @ts-expect-error no such field in the state
        ctx.state.sean = 1;
      },
    },
    drain: { handle: async (_ctx, request) => ({ v: 1, host: request.host, detail: 'gone' }) },
  },
});

export const wrongSubject = actor({
  name: 'wrong',
  version: '1.0.0',
  description: 'listens to nothing that exists',
  config: Type.Object({}),
  state: () => ({}),
  on: {
    // @ts-expect-error no such subject
    resluts: { handle: () => {} },
  },
});

export const wrongReply = actor({
  name: 'wrong',
  version: '1.0.0',
  description: 'answers something else',
  config: Type.Object({}),
  state: () => ({}),
  on: {
    // @ts-expect-error the reply lacks `detail`
    drain: { handle: (_ctx, request) => ({ v: 1, host: request.host }) },
  },
});

const mine = {
  ...subjects,
  shout: subject('shout.{who}', Type.Object({ v: Type.Literal(1), text: Type.String() }), {
    description: 'x',
    example: { v: 1, text: 'hey' },
  }),
};
export const own = actor(mine, {
  name: 'own',
  version: '1.0.0',
  description: 'has subjects of its own',
  config: Type.Object({}),
  state: () => ({}),
  on: {
    shout: {
      handle: (ctx, message, { params }) =>
        void ctx.publish(mine.shout, { who: params.who }, { v: 1, text: message.text }),
    },
  },
});
