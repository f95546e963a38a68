import type { Scenario } from './scenario.ts';

const SMALL = {
  kind: 'storm',
  routers: 1,
  batchers: 1,
  allocators: 1,
  samplers: 0,
  extras: [],
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
  {
    why: 'the leader is cut off from storage alone while another takes the lease: one of them steps down (seed 1616)',
    scenario: {
      ...SMALL,
      seed: 1616,
      hosts: 4,
      routers: 2,
      allocators: 2,
      streams: 2,
      rateHz: 6,
      healAtMs: 10_974,
      faults: [
        { atMs: 5164, forMs: 955, is: 'query' },
        { atMs: 5814, forMs: 3903, is: 'store', who: 'allocator-1', mood: 'away' },
        { atMs: 6912, forMs: 628, is: 'surge', factor: 6 },
        { atMs: 7019, forMs: 2282, is: 'weather', who: 'router-2', loss: 0.2, double: 0, delayMs: 0, lagMs: 50 },
        { atMs: 7383, forMs: 815, is: 'weather', who: 'batcher-1', loss: 0, double: 0.5, delayMs: 20, lagMs: 0 },
        { atMs: 7878, forMs: 3130, is: 'freeze', who: 'gpu-3' },
        { atMs: 8380, forMs: 3337, is: 'weather', who: 'gpu-2', loss: 0.2, double: 0.5, delayMs: 20, lagMs: 0 },
      ],
    },
  },
  {
    why: 'a leader thaws that another has replaced: what it commits does not come into force (seed 417)',
    scenario: {
      ...SMALL,
      seed: 417,
      hosts: 2,
      allocators: 2,
      rateHz: 6,
      memoryMB: 1000,
      healAtMs: 12_442,
      faults: [
        { atMs: 6245, forMs: 6463, is: 'freeze', who: 'allocator-1' },
        { atMs: 6287, forMs: 1765, is: 'crash', who: 'gpu-2' },
      ],
    },
  },
  {
    why: 'a leader reads the store stale when it commits: its next plan comes into force (seed 3077)',
    scenario: {
      ...SMALL,
      seed: 3077,
      hosts: 4,
      allocators: 3,
      memoryMB: 600,
      skew: 0.01,
      healAtMs: 13_132,
      faults: [
        { atMs: 7474, forMs: 520, is: 'crash', who: 'allocator-1' },
        { atMs: 8197, forMs: 1484, is: 'storage-down' },
        { atMs: 12124, forMs: 908, is: 'store', who: 'allocator-3', mood: 'stale' },
      ],
    },
  },
  {
    why: 'NATS is away when a one-off request is answered: the answer is kept until it is back (seed 257)',
    scenario: {
      ...SMALL,
      seed: 257,
      hosts: 2,
      extras: ['infer'],
      rateHz: 6,
      memoryMB: 600,
      healAtMs: 13_251,
      faults: [
        { atMs: 5486, forMs: 896, is: 'cut', from: 'router-1', to: 'gpu-2' },
        { atMs: 5743, forMs: 1456, is: 'server-down' },
      ],
    },
  },
];
