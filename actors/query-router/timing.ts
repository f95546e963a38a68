import type { StageResult, Timing } from '../../contracts/index.ts';
import type { Answered } from './lives.ts';
import type { Query } from './query.ts';

/** When things happened to an invocation, on the router's clock. */
interface Moments {
  readonly bornAtMs: number;
  readonly offeredAtMs: number;
}

/**
 * Where the time of the invocation went whose answer is number `index` of those that a host gave; the parts add up to now − born. The
 * host's transfer begins with the batch's outline, which may have reached it before the grant reached the router: what exceeds the round
 * trip is taken from the transfer first.
 */
export function timingOf(moments: Moments, grantedAtMs: number, said: Answered, index: number, nowMs: number): Timing {
  let roundTripMs = Math.max(0, nowMs - grantedAtMs);
  const runMs = Math.min(said.runMs, roundTripMs);
  roundTripMs -= runMs;
  const waitMs = Math.min(said.waitMs[index] ?? 0, roundTripMs);
  roundTripMs -= waitMs;
  const transferMs = Math.min(said.transferMs[index] ?? 0, roundTripMs);
  return {
    routeMs: Math.max(0, moments.offeredAtMs - moments.bornAtMs),
    scheduleMs: Math.max(0, grantedAtMs - moments.offeredAtMs),
    transferMs,
    waitMs,
    runMs,
    returnMs: roundTripMs - transferMs,
  };
}

/** Sum of the parts from the frame to result `index` of stage `stage`: the path that the request waited for. */
export function criticalPath(
  query: Query,
  results: readonly (readonly StageResult[])[],
  stage: number,
  index: number,
): Timing {
  const last = results[stage]![index];
  if (last && query.stages[stage]!.from < 0) return last.timing;
  const sum: Timing = { routeMs: 0, scheduleMs: 0, transferMs: 0, waitMs: 0, runMs: 0, returnMs: 0 };
  let at: number | undefined = index;
  for (let s = stage; s >= 0 && at !== undefined; s = query.stages[s]!.from) {
    const result: StageResult | undefined = results[s]![at];
    if (!result) break;
    const { timing } = result;
    sum.routeMs += timing.routeMs;
    sum.scheduleMs += timing.scheduleMs;
    sum.transferMs += timing.transferMs;
    sum.waitMs += timing.waitMs;
    sum.runMs += timing.runMs;
    sum.returnMs += timing.returnMs;
    at = result.parent;
  }
  return sum;
}
