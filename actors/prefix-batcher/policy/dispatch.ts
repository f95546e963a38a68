import { Agenda, type Look } from './agenda.ts';
import { lookAround } from './around.ts';
import { bestBatch, type Candidate } from './candidate.ts';
import {
  INSTANT_MS,
  isOpen,
  isUsable,
  type Around,
  type Decision,
  type Drop,
  type GroupView,
  type HostView,
  type LotView,
  type Policy,
  type PoolView,
  type SeatView,
} from './view.ts';

/** In what the policies differ. */
export interface Rules {
  readonly name: string;
  /** The smallest batch for which more urgent invocations may be passed over. */
  need(group: GroupView): number;
  /** When the candidate should be granted; not later than now: at once. */
  openAtMs(candidate: Candidate, rivalry: Rivalry): number;
  /** Which of two open candidates is granted first; the same for one and the other: the one of the earlier group. */
  isBefore(one: Candidate, other: Candidate): boolean;
}

export interface Rivalry {
  /** Hosts without work, the candidate's own among them. */
  readonly idle: number;
  /** No other group uses the pool, whose hosts can take turns. */
  readonly alone: boolean;
}

/** Drops what is hopeless, then grants the most urgent open candidate, if a host can take it. */
export function dispatchBy(rules: Rules): Policy {
  let agenda: Agenda | undefined;
  return {
    name: rules.name,
    decide: (view, changed) => {
      const around = view.around ?? lookAround(view.hosts, view.nowMs);
      agenda ??= new Agenda(view.groups);
      const asked = changed ? [agenda.of(changed)] : agenda.asked(view, around.near);
      const decision = decide(view, around, rules, agenda, asked, changed !== undefined);
      if (decision.grants.length === 0 || changed || asked === agenda.all) return decision;
      // The best of all is granted, not only of those whose time has come.
      return decide(view, around, rules, agenda, agenda.all, false);
    },
  };
}

function decide(
  view: PoolView,
  { idle, near, nearAtMs }: Around,
  rules: Rules,
  agenda: Agenda,
  asked: readonly Look[],
  arrived: boolean,
): Decision {
  const { nowMs } = view;
  const rivalry: Rivalry = { idle, alone: view.groups.length === 1 && view.hosts.length > 1 };
  let drops: Drop[] | undefined;
  let first: Candidate | undefined;

  for (const look of asked) {
    const { group } = look;
    if (group.queue.length === 0) {
      look.headMs = NaN;
      agenda.lookAgain(look, Infinity);
      continue;
    }
    let lookAtMs = Infinity;
    // Who comes behind the most urgent one does not change what becomes of that.
    const hopeless = arrived && look.headMs === group.queue.deadlineAt(0) ? undefined : hopelessOf(look, nowMs);
    // One that drops is asked about again before it is granted anything.
    if (hopeless) drops = drops ? [...drops, ...hopeless] : hopeless;
    else if (near.length > 0) {
      const { seat, dueAtMs } = firstToEnd(group, near, nowMs);
      const candidate = seat && candidateOf(group, seat, near, nowMs, rules.need(group));
      const openAtMs = candidate ? rules.openAtMs(candidate, rivalry) : Infinity;
      const isOpenNow = openAtMs <= nowMs + INSTANT_MS;
      lookAtMs = isOpenNow ? dueAtMs : Math.min(dueAtMs, openAtMs);
      if (candidate && isOpenNow && (!first || rules.isBefore(candidate, first))) first = candidate;
    }
    agenda.lookAgain(look, Math.min(look.hopelessAtMs, lookAtMs));
  }

  if (drops) return { drops, grants: NONE, wakeAtMs: nowMs };
  if (!first) return { drops: NONE, grants: NONE, wakeAtMs: Math.min(nearAtMs, agenda.firstAtMs) };
  const { group, seat, from, count, startAtMs, latestMs } = foremost(first, view, rules, rivalry);
  return { drops: NONE, grants: [{ group, seat, from, count, startAtMs, latestAtMs: latestMs }], wakeAtMs: nowMs };
}

const NONE: readonly never[] = [];

/** What no host can run in time, if there is such; notes when the most urgent of the others is to be looked at again. */
function hopelessOf(look: Look, nowMs: number): Drop[] | undefined {
  const { group } = look;
  const { lots } = group;
  let drops: Drop[] | undefined;
  look.headMs = lots.length === 1 ? group.queue.deadlineAt(0) : NaN;
  look.hopelessAtMs = Infinity;
  for (let i = 0; i < lots.length; i++) {
    const lot = lots[i]!;
    if (lot.queue.length === 0) continue;
    const { hopeless, hopelessAtMs } = lookAhead(lot, nowMs);
    look.hopelessAtMs = Math.min(look.hopelessAtMs, hopelessAtMs);
    if (hopeless > 0) (drops ??= []).push({ group, queue: lot.queue, count: hopeless });
  }
  return drops;
}

/**
 * A batch whose payloads take longer to come is granted earlier before the host is free: that must not give it the host when a batch
 * of another group goes before it. That one is granted now, though its payloads leave it time, so that this one's come while it runs.
 */
function foremost(candidate: Candidate, view: PoolView, rules: Rules, rivalry: Rivalry): Candidate {
  const { host } = candidate.seat;
  let first = candidate;
  for (const group of view.groups) {
    const seat = group.seatOn(host);
    if (group === candidate.group || !seat?.resident || seat.queue.length === 0) continue;
    const dueAtMs = host.bookedUntilMs - seat.leadMs(Math.min(seat.queue.length, seat.batchMax));
    if (dueAtMs <= view.nowMs + INSTANT_MS) continue;
    const rival = bestBatch(group, seat, view.nowMs, rules.need(group));
    if (rival && rules.openAtMs(rival, rivalry) <= dueAtMs && rules.isBefore(rival, first)) first = rival;
  }
  return first;
}

/**
 * How many of the lot no host can run in time, and when the most urgent of the others should be looked at again. One host that
 * is in time for the most urgent settles it, so that this is quick while all is well.
 */
function lookAhead(lot: LotView, nowMs: number): { hopeless: number; hopelessAtMs: number } {
  const { queue } = lot;
  const deadlineMs = queue.deadlineAt(0);
  let [earliestEndMs, shortestMs] = [Infinity, Infinity];
  for (const seat of lot.seats) {
    if (!isUsable(seat.host, nowMs)) continue;
    const aloneMs = seat.leadMs(1);
    const runMs = seat.leastMs(1);
    const endMs = Math.max(nowMs + aloneMs, seat.host.bookedUntilMs) + runMs;
    if (endMs <= deadlineMs) return { hopeless: 0, hopelessAtMs: deadlineMs - aloneMs - runMs + 2 * INSTANT_MS };
    earliestEndMs = Math.min(earliestEndMs, endMs);
    shortestMs = Math.min(shortestMs, aloneMs + runMs);
  }
  if (shortestMs === Infinity) {
    // No host can be used now (it starts, or a model moves): wait for one as long as a quick run could still be in time.
    shortestMs = lot.planned.reduce((least, seat) => Math.min(least, seat.leastMs(1)), Infinity);
    if (shortestMs === Infinity) shortestMs = 0;
    earliestEndMs = nowMs + shortestMs;
  }
  const hopeless = queue.countBefore(earliestEndMs);
  if (hopeless === queue.length) return { hopeless, hopelessAtMs: Infinity };
  return { hopeless, hopelessAtMs: queue.deadlineAt(hopeless) - shortestMs + 2 * INSTANT_MS };
}

/** Where a batch of what waits would end first, among the hosts that can be granted one now; and when the next near one can be. */
function firstToEnd(group: GroupView, near: readonly HostView[], nowMs: number) {
  let seat: SeatView | undefined;
  let seatEndMs = Infinity;
  let dueAtMs = Infinity;
  for (const host of near) {
    const other = group.seatOn(host);
    const size = other?.resident && isOpen(host, nowMs) ? Math.min(other.queue.length, other.batchMax) : 0;
    if (!other || size === 0) continue;
    const leadMs = other.leadMs(size);
    const dueMs = host.bookedUntilMs - leadMs;
    if (dueMs > nowMs + INSTANT_MS) {
      dueAtMs = Math.min(dueAtMs, dueMs);
      continue;
    }
    const endMs = Math.max(nowMs + leadMs, host.bookedUntilMs) + other.latencyMs(size);
    if (endMs >= seatEndMs) continue;
    seat = other;
    seatEndMs = endMs;
  }
  return { seat, dueAtMs };
}

/** The batch on the seat where it ends first; where none fits there, on any other that can be granted one. */
function candidateOf(
  group: GroupView,
  first: SeatView,
  near: readonly HostView[],
  nowMs: number,
  need: number,
): Candidate | undefined {
  const candidate = bestBatch(group, first, nowMs, need);
  if (candidate) return candidate;
  for (const host of near) {
    const seat = group.seatOn(host);
    if (
      !seat?.resident ||
      seat.queue.length === 0 ||
      seat === first ||
      !isOpen(host, nowMs) ||
      host.bookedUntilMs - seat.leadMs(1) > nowMs + INSTANT_MS
    )
      continue;
    const other = bestBatch(group, seat, nowMs, need);
    if (other) return other;
  }
  return undefined;
}
