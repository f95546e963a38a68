import type { Scenario } from './scenario.ts';

const SMALL = {
  kind: 'storm',
  routers: 1,
  batchers: 1,
  allocators: 1,
  streams: 1,
  rateHz: 2,
  memoryMB: 4000,
  skew: 0,
} as const;

/** Shrunk scenarios that once broke an invariant. */
export const REGRESSIONS: readonly { readonly why: string; readonly scenario: Scenario }[] = [
  {
    why: 'a host leaves while storage is away: the wish that it leave is forgotten later (seed 200)',
    scenario: {
      ...SMALL,
      seed: 200,
      hosts: 2,
      healAtMs: 13_016,
      faults: [
        { atMs: 5987, forMs: 2776, is: 'revoke', who: 'gpu-2', noticeMs: 2518 },
        { atMs: 8067, forMs: 4849, is: 'storage-down' },
      ],
    },
  },
];
