import type { AllocatorBeat, BatcherBeat, HostBeat, RouterBeat, SamplerBeat } from './messages/beats.ts';
import type { Answers, Offers, Outline, Payloads, Progress, Verdicts } from './messages/dispatch.ts';
import type { DeadLetter, Frame, InferRequest, Result, StreamNews } from './messages/frame.ts';
import type { Order, Plan } from './messages/plan.ts';

/** One example of each message: for the reference, and checked against the schemas by a test. */
const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xd9);
const vitals = { rssBytes: 98_000_000, loopDelayP99Ms: 1.4 };
const detector = 'ppocr-det@3f2a91c04b7e';
const nonce = 'k7v2m9x4qa';

export const frame: Frame = {
  v: 1,
  seq: 1042,
  picture: { encoding: 'jpeg', data: jpeg },
  ageMs: 12.5,
  meta: { camera: 'north' },
};

export const deadLetter: DeadLetter = {
  v: 1,
  result: {
    v: 1,
    request: 'frames-default-7-scoreboard',
    tenant: 'default',
    query: 'scoreboard',
    stream: 'game-1',
    seq: 1042,
    outcome: 'failed',
    latencyMs: 812.5,
    objectiveMs: 800,
    stages: {},
    trouble: {
      at: 'host',
      reason: 'input',
      detail: 'stage detect failed on host gpu-a: not a JPEG',
      stage: 'detect',
      retryable: false,
    },
    router: 'router-1',
    epoch: 4,
    emulated: false,
    attempt: 1,
  },
  subject: 'ganglion.frames.default.game-1',
  sequence: 7,
  bytes: 4,
  data: jpeg,
};

export const inferRequest: InferRequest = { v: 1, payload: { encoding: 'jpeg', data: jpeg }, budgetMs: 500 };

const timing = { routeMs: 0.4, scheduleMs: 3.1, transferMs: 2.2, waitMs: 4, runMs: 24.8, returnMs: 1.1 };
export const result: Result = {
  v: 1,
  request: 'router-1-8f3k-1042',
  tenant: 'default',
  query: 'scoreboard',
  stream: 'game-1',
  seq: 1042,
  outcome: 'ok',
  latencyMs: 77.5,
  objectiveMs: 800,
  stages: {
    detect: [
      {
        output: { kind: 'boxes', boxes: [{ x: 31, y: 22, width: 120, height: 24, score: 0.93 }] },
        model: detector,
        host: 'gpu-a',
        batch: 2,
        timing,
      },
    ],
    read: [
      {
        from: 'detect',
        parent: 0,
        item: 0,
        output: { kind: 'text', text: 'LIONS 3', score: 0.98 },
        model: 'ppocr-rec@90ab11d2c3e4',
        host: 'gpu-b',
        batch: 5,
        timing,
      },
    ],
  },
  timing: { routeMs: 0.8, scheduleMs: 6.2, transferMs: 4.4, waitMs: 8, runMs: 49.6, returnMs: 2.2 },
  router: 'router-1',
  epoch: 4,
  emulated: false,
  meta: { camera: 'north' },
};

export const inferResult: Result = {
  v: 1,
  request: 'router-2-1a9c-7',
  tenant: 'default',
  query: 'scoreboard',
  outcome: 'dropped',
  latencyMs: 31,
  objectiveMs: 30,
  stages: {},
  trouble: {
    at: 'batcher',
    reason: 'deadline',
    detail: 'no device could answer stage detect in time: 30 ms allowed, the quickest run takes 25 ms',
    stage: 'detect',
    retryable: true,
  },
  router: 'router-2',
  epoch: 4,
  emulated: false,
};

export const streamNews: StreamNews = {
  v: 1,
  state: 'dead',
  detail: 'rtsp://cam-7/main: connection refused, trying again in 4 s',
  frames: 8123,
};

export const offers: Offers = {
  v: 1,
  router: 'router-1',
  epoch: 4,
  sessions: ['default/ppocr-det/300'],
  ids: [17, 18],
  session: [0, 0],
  budgetMs: [291.5, 300],
  bytes: [31_200, 30_870],
};

export const verdicts: Verdicts = {
  v: 1,
  batcher: 'batcher-1',
  pool: 'pool-0',
  epoch: 4,
  grants: [{ batch: 'batcher-1-4qa-981', host: 'gpu-a', ids: [17, 18], answerInMs: 46 }],
  drops: [],
  refused: [],
};

export const outline: Outline = {
  v: 1,
  batcher: 'batcher-1',
  pool: 'pool-0',
  epoch: 4,
  batch: 'batcher-1-4qa-981',
  models: [detector],
  routers: ['router-1'],
  ids: [17, 18],
  router: [0, 0],
  model: [0, 0],
  budgetMs: [288, 296.5],
  startInMs: 3,
  latestInMs: 240,
  expectedMs: 41,
};

export const payloads: Payloads = {
  v: 1,
  router: 'router-1',
  batch: 'batcher-1-4qa-981',
  ids: [17],
  payloads: [{ encoding: 'jpeg', data: jpeg }],
  absent: [18],
};

export const answers: Answers = {
  v: 1,
  host: 'gpu-a',
  batch: 'batcher-1-4qa-981',
  emulated: false,
  size: 1,
  model: [detector],
  ids: [17],
  answers: [{ is: 'output', output: { kind: 'boxes', boxes: [] } }],
  transferMs: [3.2],
  waitMs: [0.1],
  runMs: 24.8,
  sinceRunMs: 1.1,
};

export const progress: Progress = {
  v: 1,
  host: 'gpu-a',
  batch: 'batcher-1-4qa-981',
  phase: 'finished',
  size: 1,
  fillMs: 3.4,
  runMs: 24.8,
  freeInMs: 0,
  backlog: 0,
};

export const hostBeat: HostBeat = {
  v: 1,
  state: 'ready',
  incarnation: '8d1mz0w3ce',
  device: {
    kind: 'cpu-1t',
    provider: 'cpu',
    asked: ['cuda', 'cpu'],
    tried: [{ provider: 'cuda', error: 'libonnxruntime_providers_cuda.so is missing' }, { provider: 'cpu' }],
    emulated: false,
    memoryBytes: 4_096_000_000,
    threads: 1,
  },
  epoch: 4,
  nonce,
  residents: [
    {
      model: detector,
      state: 'resident',
      batches: [1, 2, 4],
      lane: 0,
      persistentBytes: 11_000_000,
      ephemeralBytes: 120_000_000,
      queued: 1,
    },
  ],
  persistentBytes: 11_000_000,
  ephemeralBytes: 120_000_000,
  freeInMs: 12,
  backlog: 1,
  batches: 980,
  invocations: 2210,
  refused: 0,
  dropped: 3,
  failed: 0,
  busyMs: 40_211,
  ...vitals,
};

export const routerBeat: RouterBeat = {
  v: 1,
  epoch: 4,
  inFlight: 3,
  heldBytes: 92_000,
  queries: [
    {
      tenant: 'default',
      query: 'scoreboard',
      accepted: 1042,
      ok: 1030,
      late: 6,
      dropped: 3,
      failed: 0,
      rejected: 0,
      p50Ms: 74,
      p99Ms: 210,
    },
  ],
  stages: [{ tenant: 'default', query: 'scoreboard', stage: 'read', rateHz: 21, fanout: 5.2, count: 5401 }],
  duplicates: 0,
  reoffers: 2,
  intervalMs: 1000,
  ...vitals,
};

export const batcherBeat: BatcherBeat = {
  v: 1,
  epoch: 4,
  nonce,
  policy: 'hybrid',
  pools: [{ pool: 'pool-0', queued: 2, granted: 6441, batches: 2004, dropped: 3, refused: 0 }],
  ...vitals,
};

export const samplerBeat: SamplerBeat = {
  v: 1,
  streams: [
    {
      tenant: 'default',
      stream: 'game-1',
      state: 'live',
      sampled: 1500,
      skipped: 458,
      published: 1042,
      unsent: 0,
      reopened: 0,
    },
  ],
  ...vitals,
};

export const allocatorBeat: AllocatorBeat = {
  v: 1,
  role: 'leader',
  nonce,
  phase: 'preparing',
  epoch: 4,
  epochs: 4,
  modelsMoved: 6,
  waitingFor: ['gpu-b: loading ppocr-rec@90ab11d2c3e4'],
  detail: 'epoch 5: host gpu-a asked to leave',
  ...vitals,
};

export const order: Order = {
  v: 1,
  epoch: 5,
  nonce,
  verb: 'prepare',
  models: [{ model: detector, lane: 0, batches: [1, 2, 4], batchMax: 4 }],
};

export const plan: Plan = {
  v: 1,
  epoch: 4,
  nonce,
  policy: 'nexus',
  pools: [{ pool: 'pool-0', batcher: 'batcher-1', hosts: ['gpu-a'], sessions: ['default/ppocr-det/300'], groups: [] }],
  hosts: [{ host: 'gpu-a', kind: 'cpu-1t', models: [{ model: detector, lane: 0, batches: [1, 2, 4], batchMax: 4 }] }],
  sessions: [
    {
      name: 'default/ppocr-det/300',
      tenant: 'default',
      model: detector,
      objectiveMs: 300,
      rateHz: 12,
      prefer: 'latency',
    },
  ],
  queries: [
    {
      tenant: 'default',
      query: 'scoreboard',
      stages: [
        {
          stage: 'detect',
          session: 'default/ppocr-det/300',
          pool: 'pool-0',
          budgetMs: 300,
          reserveMs: 500,
          reserveMinMs: 60,
        },
      ],
    },
  ],
  refused: [],
  profiles: [
    {
      v: 1,
      model: detector,
      device: 'cpu-1t',
      emulated: false,
      points: [{ batch: 1, meanMs: 24.8, stdMs: 0.6, p99Ms: 27, ephemeralBytes: 60_000_000, repeats: 30 }],
      persistentBytes: 11_000_000,
      loadMs: 70,
      preMs: 4,
      postMs: 1,
    },
  ],
};
