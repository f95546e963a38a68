import type {
  InferRequest,
  Outcome,
  PayloadTooLargeError,
  Result,
  StageResult,
  Trouble,
} from '../../contracts/index.ts';
import type { Request } from './lives.ts';
import { criticalPath } from './timing.ts';
import { resultTooLarge } from './trouble.ts';

/** Where a result comes from. */
interface Origin {
  readonly router: string;
  /** Id of the request, unique in the cluster. */
  readonly request: string;
}

/**
 * The one outcome of an accepted request. Its `timing` is that of the critical path; without the age of the frame it adds
 * up to the latency.
 */
export function resultOf(
  request: Request,
  { router, request: id }: Origin,
  outcome: Outcome,
  trouble: Trouble | undefined,
  nowMs: number,
): Result {
  const { query, stream, seq, meta } = request;
  const answered = outcome === 'ok' || outcome === 'late';
  const stages: Record<string, StageResult[]> = {};
  for (const { name, index } of query.stages) {
    const results = request.results[index]!;
    if (answered || results.length > 0) stages[name] = results;
  }
  const result: Result = {
    v: 1,
    request: id,
    tenant: query.tenant,
    query: query.name,
    outcome,
    latencyMs: nowMs - request.acceptedAtMs + request.ageMs,
    objectiveMs: request.objectiveMs,
    stages,
    router,
    epoch: request.epoch,
    emulated: request.emulated,
  };
  if (stream !== undefined) result.stream = stream;
  if (seq !== undefined) result.seq = seq;
  if (answered) result.timing = criticalPath(query, request.results, request.lastStage, request.lastIndex);
  if (trouble) result.trouble = trouble;
  if (meta) result.meta = meta;
  return result;
}

/** What is told where the outputs don't fit into a message. */
export function withoutOutputs(result: Result, { bytes, maxBytes }: PayloadTooLargeError): Result {
  const { timing: _timing, ...rest } = result;
  return { ...rest, outcome: 'failed', stages: {}, trouble: resultTooLarge(bytes, maxBytes) };
}

/** The outcome of what was not accepted. */
export function rejection(
  facts: {
    readonly tenant: string;
    readonly query: string;
    readonly stream?: string | undefined;
    readonly seq?: number | undefined;
    readonly ageMs?: number | undefined;
    readonly objectiveMs: number;
    readonly epoch: number;
    readonly meta?: InferRequest['meta'];
  },
  { router, request }: Origin,
  trouble: Trouble,
): Result {
  const { tenant, query, stream, seq, ageMs, objectiveMs, epoch, meta } = facts;
  return {
    v: 1,
    request,
    tenant,
    query,
    ...(stream === undefined ? {} : { stream }),
    ...(seq === undefined ? {} : { seq }),
    outcome: 'rejected',
    latencyMs: ageMs ?? 0,
    objectiveMs,
    stages: {},
    trouble,
    router,
    epoch,
    emulated: false,
    ...(meta ? { meta } : {}),
  };
}
