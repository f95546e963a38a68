import { bestBatch, type Candidate } from './candidate.ts';
import {
  INSTANT_MS,
  isUsable,
  type Decision,
  type Drop,
  type GroupView,
  type Policy,
  type PoolView,
  type SeatView,
} from './view.ts';

/** In what the policies differ. */
export interface Rules {
  readonly name: string;
  /** The smallest batch for which more urgent invocations may be passed over. */
  need(group: GroupView): number;
  /** When the candidate should be granted; not later than now: at once. `idle`: hosts without work, its own among them. */
  openAtMs(candidate: Candidate, idle: number): number;
  /** Which of two open candidates is granted first; the same for one and the other: the one of the earlier group. */
  isBefore(one: Candidate, other: Candidate): boolean;
}

/** Drops what is hopeless, then grants the most urgent open candidate, if a host can take it. */
export function dispatchBy(rules: Rules): Policy {
  return {
    name: rules.name,
    decide: (view, changed) => decide(view, rules, changed ? [changed] : view.groups),
  };
}

function decide(view: PoolView, rules: Rules, groups: readonly GroupView[]): Decision {
  const drops: Drop[] = [];
  let best: Candidate | undefined;
  let wakeAtMs = Infinity;
  const idle = idleHosts(view);

  for (const group of groups) {
    if (group.queue.length === 0) continue;
    const outlook = lookAt(group, view.nowMs);
    const hopeless = group.queue.countBefore(outlook.earliestEndMs);
    if (hopeless > 0) {
      drops.push({ group, count: hopeless });
      if (hopeless === group.queue.length) continue;
    }
    wakeAtMs = Math.min(wakeAtMs, outlook.grantAtMs, hopelessFrom(group, hopeless, outlook.shortestMs));
    if (!outlook.seat || hopeless > 0) continue; // a group that drops is asked about again before it is granted anything
    const candidate = candidateOf(group, outlook.seat, view.nowMs, rules.need(group));
    if (!candidate) continue;
    const openAtMs = rules.openAtMs(candidate, idle);
    if (openAtMs > view.nowMs + INSTANT_MS) {
      wakeAtMs = Math.min(wakeAtMs, openAtMs);
      continue;
    }
    if (!best || rules.isBefore(candidate, best)) best = candidate;
  }

  if (drops.length > 0) return { drops, grants: [], wakeAtMs: view.nowMs };
  if (!best) return { drops, grants: [], wakeAtMs };
  const { group, seat, from, count, startAtMs, latestMs } = best;
  return { drops, grants: [{ group, seat, from, count, startAtMs, latestAtMs: latestMs }], wakeAtMs: view.nowMs };
}

interface Outlook {
  /** The earliest that one invocation could end on any usable host. */
  readonly earliestEndMs: number;
  /** The least time that any run takes, with its lead. */
  readonly shortestMs: number;
  /** Where a batch would end first, among the hosts that can be granted one now. */
  readonly seat: SeatView | undefined;
  /** When the next host can be granted a batch. */
  readonly grantAtMs: number;
}

function lookAt(group: GroupView, nowMs: number): Outlook {
  const waiting = group.queue.length;
  let [earliestEndMs, shortestMs, grantAtMs] = [Infinity, Infinity, Infinity];
  let seat: SeatView | undefined;
  let seatEndMs = Infinity;
  for (const other of group.seats) {
    const { host } = other;
    if (!other.resident || !isUsable(host, nowMs)) continue;
    const oneMs = other.latencyMs(1);
    const oneLeadMs = other.leadMs(1);
    earliestEndMs = Math.min(earliestEndMs, Math.max(nowMs + oneLeadMs, host.bookedUntilMs) + oneMs);
    shortestMs = Math.min(shortestMs, oneMs + oneLeadMs);
    if (host.granted) continue;
    const size = Math.min(waiting, other.batchMax);
    const leadMs = other.leadMs(size);
    const dueMs = host.freeAtMs - leadMs;
    if (dueMs > nowMs + INSTANT_MS) {
      grantAtMs = Math.min(grantAtMs, dueMs);
      continue;
    }
    const endMs = Math.max(nowMs + leadMs, host.freeAtMs) + other.latencyMs(size);
    if (endMs >= seatEndMs) continue;
    seat = other;
    seatEndMs = endMs;
  }
  if (shortestMs < Infinity) return { earliestEndMs, shortestMs, seat, grantAtMs };
  // No host can be used now (it starts, or a model moves): wait for one as long as a quick run could still be in time.
  shortestMs = group.seats.reduce((least, other) => Math.min(least, other.latencyMs(1)), Infinity);
  if (shortestMs === Infinity) shortestMs = 0;
  return { earliestEndMs: nowMs + shortestMs, shortestMs, seat: undefined, grantAtMs };
}

/** The batch on the seat where it ends first; where none fits there, on any other that can be granted one. */
function candidateOf(group: GroupView, first: SeatView, nowMs: number, need: number): Candidate | undefined {
  const candidate = bestBatch(group, first, nowMs, need);
  if (candidate) return candidate;
  for (const seat of group.seats) {
    if (seat === first || !seat.resident || seat.host.granted || !isUsable(seat.host, nowMs)) continue;
    if (seat.host.freeAtMs - seat.leadMs(1) > nowMs + INSTANT_MS) continue;
    const other = bestBatch(group, seat, nowMs, need);
    if (other) return other;
  }
  return undefined;
}

/** When the most urgent invocation behind the first `skip` becomes hopeless, even on an idle host. */
const hopelessFrom = (group: GroupView, skip: number, shortestMs: number): number =>
  group.queue.deadlineAt(skip) - shortestMs + 2 * INSTANT_MS;

function idleHosts(view: PoolView): number {
  let idle = 0;
  for (const host of view.hosts) if (!host.granted && host.freeAtMs <= view.nowMs && isUsable(host, view.nowMs)) idle++;
  return idle;
}
