import { largestFitting } from './largest.ts';
import type { GroupView, SeatView } from './view.ts';

/** The best batch of a group on one seat, and the window in which it should start. */
export interface Candidate {
  readonly group: GroupView;
  readonly seat: SeatView;
  /** It is [from, from + count) of the seat's queue; those before can't be in time together with it. */
  readonly from: number;
  readonly count: number;
  /** When it would start if it were granted now. */
  readonly startAtMs: number;
  /** D: the earliest deadline inside. */
  readonly deadlineMs: number;
  /** Last moment to grant it such that one more could still join: waiting longer can't make it larger. −∞ when it is full. */
  readonly frontrunMs: number;
  /** D − ℓ(b): the latest start at which all are in time. */
  readonly latestMs: number;
}

/**
 * The largest batch that meets all deadlines inside it and begins with the most urgent invocation that lets it have at least
 * `need` inputs (or as many as there are). More urgent ones stay behind: another host may be quicker, else they are dropped when
 * they are hopeless. (Nexus's early drop, Symphony's incremental batch policy, without giving up what another host could save.)
 * @returns undefined when not even one could be in time on this seat
 */
export function bestBatch(group: GroupView, seat: SeatView, nowMs: number, need: number): Candidate | undefined {
  const { queue } = seat;
  const waiting = queue.length;
  if (waiting === 0) return undefined;
  const sizeMax = Math.min(sizeLimit(group, seat), waiting);
  const startAtMs = Math.max(nowMs + seat.leadMs(sizeMax), seat.host.bookedUntilMs);
  let from = 0;
  let count = sizeMax;
  // Mostly all that wait are in time together: then so is every part of them, and there is nothing to search for.
  if (sizeMax < waiting || startAtMs + seat.latencyOf(0, waiting) > queue.deadlineAt(0)) {
    const found = search(seat, startAtMs, Math.min(need, sizeMax), sizeMax);
    if (!found) return undefined;
    ({ from, count } = found);
  }

  const deadlineMs = queue.deadlineAt(from);
  const grown =
    count < seat.batchMax ? deadlineMs - seat.latencyOf(from, count, 1) - seat.leadMs(count + 1) : -Infinity;
  return {
    group,
    seat,
    from,
    count,
    startAtMs,
    deadlineMs,
    frontrunMs: grown,
    latestMs: deadlineMs - seat.latencyOf(from, count),
  };
}

function search(seat: SeatView, startAtMs: number, need: number, sizeMax: number) {
  const { queue } = seat;
  const waiting = queue.length;
  const fits = (first: number, size: number): boolean =>
    startAtMs + seat.latencyOf(first, size) <= queue.deadlineAt(first);
  const needed = largestFitting(need, size => fits(waiting - size, size));
  if (needed === 0) return undefined;
  const last = waiting - needed;
  let from = Math.min(last, queue.countBefore(startAtMs + seat.leastMs(needed)));
  // Batches of one size may differ in what they cost. The last one fits.
  while (from < last && !fits(from, needed)) from++;
  const room = Math.min(sizeMax, waiting - from);
  const count = largestFitting(room, size => fits(from, size));
  return { from, count: Math.max(needed, count) };
}

/** Beyond one run a host takes its share among those that can still be granted a batch: the second run would start sooner on another. */
function sizeLimit({ seats }: GroupView, { batchMax, runMax, queue }: SeatView): number {
  if (runMax >= batchMax) return batchMax;
  const hosts = seats.reduce((count, { host, resident }) => count + Number(resident && !host.granted), 0);
  return Math.min(batchMax, Math.max(runMax, Math.ceil(queue.length / Math.max(1, hosts))));
}
