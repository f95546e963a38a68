import type { Subjects } from '../../contracts/index.ts';

/** Who speaks on a subject, and who listens. `anybody`: people and programs outside. */
export interface Direction {
  readonly from: string;
  readonly to: string;
  /** Of the system as a whole, seen from outside; internal subjects do both. */
  readonly actions: readonly ('send' | 'receive')[];
}

const inside = (from: string, to: string): Direction => ({ from, to, actions: ['send', 'receive'] });

export const directions: { readonly [K in keyof Subjects]: Direction } = {
  frames: { from: 'stream sampler, anybody', to: 'query router', actions: ['send', 'receive'] },
  results: { from: 'query router', to: 'anybody', actions: ['send'] },
  dead: { from: 'query router', to: 'anybody', actions: ['send'] },
  infer: { from: 'anybody', to: 'query router', actions: ['receive'] },
  streamNews: { from: 'stream sampler', to: 'anybody', actions: ['send'] },
  drain: { from: 'anybody', to: 'leading allocator', actions: ['receive'] },
  currentPlan: { from: 'anybody', to: 'leading allocator', actions: ['receive'] },
  offers: inside('query router', 'prefix-batcher'),
  withdrawals: inside('query router', 'prefix-batcher'),
  verdicts: inside('prefix-batcher', 'query router'),
  outlines: inside('prefix-batcher', 'GPU host'),
  payloads: inside('query router', 'GPU host'),
  answers: inside('GPU host', 'query router'),
  progress: inside('GPU host', 'prefix-batcher'),
  hostBeats: inside('GPU host', 'allocator, batcher, anybody'),
  routerBeats: inside('query router', 'allocator, anybody'),
  batcherBeats: inside('prefix-batcher', 'allocator, anybody'),
  samplerBeats: inside('stream sampler', 'samplers, anybody'),
  allocatorBeats: inside('allocator', 'anybody'),
  orders: inside('leading allocator', 'GPU host'),
  plans: inside('leading allocator', 'query router, prefix-batcher'),
};
