import { AllocatorBeat, BatcherBeat, HostBeat, RouterBeat, SamplerBeat } from './messages/beats.ts';
import { DrainReply, DrainRequest, PlanReply, PlanRequest } from './messages/control.ts';
import { Answers, Offers, Outline, Payloads, Progress, Verdicts, Withdrawals } from './messages/dispatch.ts';
import { DeadLetter, Frame, InferRequest, Result, StreamNews } from './messages/frame.ts';
import { sniffPicture } from './messages/picture.ts';
import { Order, OrderReply, Plan } from './messages/plan.ts';
import * as example from './examples.ts';
import { service, subject } from './subject.ts';

/** First token of every subject unless configured otherwise. */
export const DEFAULT_PREFIX = 'ganglion';
export const DEFAULT_TENANT = 'default';

type BareHeaders = Readonly<Record<string, string>> | undefined;

const bareFrame = (data: Uint8Array, headers: BareHeaders): Frame | undefined => {
  const encoding = sniffPicture(data);
  if (!encoding) return undefined;
  const seq = Number(headers?.['seq'] ?? 0);
  return { v: 1, seq: Number.isSafeInteger(seq) && seq >= 0 ? seq : 0, picture: { encoding, data } };
};

const bareInfer = (data: Uint8Array): InferRequest | undefined => {
  const encoding = sniffPicture(data);
  return encoding && { v: 1, payload: { encoding, data } };
};

/** Every subject of the system. Patterns stand below the prefix; ids come last. */
export const subjects = {
  frames: subject('frames.{tenant}.{stream}', Frame, {
    public: true,
    description:
      'Frames of a stream, published by a sampler or by anybody. Bare JPEG, PNG or WebP bytes are accepted too; then a header `seq` may number the frame.',
    example: example.frame,
    bare: bareFrame,
  }),
  results: subject('results.{tenant}.{query}.{stream}', Result, {
    public: true,
    description: 'The one outcome of each frame for each query that reads its stream.',
    example: example.result,
  }),
  infer: service('infer.{tenant}.{query}', InferRequest, Result, {
    public: true,
    description:
      'One-off requests: a picture in, its result back. Bare JPEG, PNG or WebP bytes are accepted too. ' +
      'With the header `accept: application/json` the answer is JSON (binary as base64).',
    example: example.inferRequest,
    replyExample: example.inferResult,
    bare: bareInfer,
  }),
  dead: subject('dead.{tenant}.{query}.{stream}', DeadLetter, {
    public: true,
    description: 'Frames of durable queries that could not be processed, stored in the journal `<prefix>-dead`.',
    example: example.deadLetter,
  }),
  streamNews: subject('news.{tenant}.{stream}', StreamNews, {
    public: true,
    description: 'A stream came up, broke, ended.',
    example: example.streamNews,
  }),
  drain: service('control.drain', DrainRequest, DrainReply, {
    public: true,
    description:
      'Takes a host out politely: its models move first, then it leaves. Answered by the leading allocator when the move has begun.',
    example: { v: 1, host: 'gpu-a' },
    replyExample: { v: 1, host: 'gpu-a', detail: 'epoch 5 moves 2 models away from gpu-a' },
  }),
  currentPlan: service('control.plan', PlanRequest, PlanReply, {
    public: true,
    description: 'The plan in force, from the leading allocator.',
    example: { v: 1 },
    replyExample: { v: 1, plan: example.plan },
  }),

  offers: subject('offers.{pool}', Offers, {
    description: 'Router to the batcher of a pool: requests that it holds.',
    example: example.offers,
  }),
  withdrawals: subject('withdrawals.{pool}', Withdrawals, {
    description: 'Router to the batcher of a pool: offers that need no service any more.',
    example: { v: 1, router: 'router-1', ids: [17] },
  }),
  verdicts: subject('verdicts.{router}', Verdicts, {
    description: 'Batcher to router: grants and drops.',
    example: example.verdicts,
  }),
  outlines: subject('outlines.{host}', Outline, {
    description: 'Batcher to host: a batch that is coming.',
    example: example.outline,
  }),
  payloads: subject('payloads.{host}', Payloads, {
    description: 'Router to host: the inputs of a batch.',
    example: example.payloads,
  }),
  answers: subject('answers.{router}', Answers, {
    description: 'Host to router: the outputs of a batch.',
    example: example.answers,
  }),
  progress: subject('progress.{batcher}', Progress, {
    description: 'Host to batcher: a batch started or finished.',
    example: example.progress,
  }),

  hostBeats: subject('beats.host.{host}', HostBeat, {
    description: 'State of a GPU host: every second and at each change.',
    example: example.hostBeat,
  }),
  routerBeats: subject('beats.router.{router}', RouterBeat, {
    description: 'Rates, fan-out and outcomes as a router sees them, every second.',
    example: example.routerBeat,
  }),
  batcherBeats: subject('beats.batcher.{batcher}', BatcherBeat, {
    description: 'State of a prefix-batcher: every second and when it follows a new plan.',
    example: example.batcherBeat,
  }),
  samplerBeats: subject('beats.sampler.{sampler}', SamplerBeat, {
    description: 'State of the streams of a sampler: every second and at each change.',
    example: example.samplerBeat,
  }),
  allocatorBeats: subject('beats.allocator.{allocator}', AllocatorBeat, {
    description: 'State of an allocator: every second and at each change of phase.',
    example: example.allocatorBeat,
  }),

  orders: service('orders.{host}', Order, OrderReply, {
    description: 'Leading allocator to host: load, release, measure, leave.',
    example: example.order,
    replyExample: { v: 1, accepted: true },
  }),
  plans: subject('plans', Plan, { description: 'A plan is in force from now on (commit).', example: example.plan }),
} as const;
export type Subjects = typeof subjects;

/** Key-value buckets, below the prefix; values are JSON. */
export const BUCKETS = {
  /** `models.<name>`, `queries.<tenant>.<name>`, `streams.<tenant>.<name>`: what was applied. */
  config: 'config',
  /** `<model id>.<device kind>`: measured profiles. */
  profiles: 'profiles',
  /** `current`: the plan in force; `leader`: who leads; `hosts.<host>`: wishes about a host (drain). */
  plan: 'plan',
} as const;

/** Object store for model files, below the prefix; objects are named by the SHA-256 of their content. */
export const MODEL_STORE = 'models';

export const bucketName = (prefix: string, bucket: string): string => `${prefix}-${bucket}`;
