import type { Candidate } from './candidate.ts';
import { dispatchBy } from './dispatch.ts';
import type { Policy } from './view.ts';

/** A batch whose latest start is nearer than this share of its group's usual budget has to hurry. */
const HURRY_SHARE = 0.1;
/**
 * Who is given so much time is to outlast the loss of a host. What has waited must not wait on for the sake of throughput: the next host may
 * be lost before its turn comes. Among such groups only what has just come may.
 */
const PATIENT_MS = 2000;
const PATIENT_HURRY_SHARE = 1 / 3;
const AMONG_PATIENT_HURRY_SHARE = 0.9;
/** Of a group that lost 1 % of its invocations a batch is as urgent as if it had to start 5 ms sooner. */
const LOSS_URGENCY_MS = 500;
/** As urgent is one of a group of which one input is 1 % of what comes in this time, */
const STAKE_S = 5;
/** up to this share of the budget. */
const STAKE_BUDGET_SHARE_MAX = 0.2;
/** A group whose inputs take e times as long may lose so much more of them: one dropped leaves time for several that are cheaper. */
const DEAR_LOSS_SHARE = 0.01;

/**
 * Batches that have to hurry by their latest start; then the others, those first that use the device best. One that is full goes before one
 * that has to hurry if that is still in time after it: it gains nothing by waiting, and what piles up behind it could not be made up for.
 */
function goesBefore(one: Candidate, other: Candidate): boolean {
  const [hurries, otherHurries] = [hasToHurry(one, other), hasToHurry(other, one)];
  if (hurries && otherHurries) return turnMs(one) < turnMs(other);
  if (hurries) return !canLetPass(one, other);
  if (otherHurries) return canLetPass(other, one);
  return efficiency(one) > efficiency(other);
}

/** The full one ends before the latest start of what hurries, and of the runs that its hosts owe those behind it. */
function canLetPass(hurried: Candidate, full: Candidate): boolean {
  const { group, seat, count } = hurried;
  if (full.count < full.seat.batchMax || isPatient(hurried)) return false;
  const runsBehind = Math.ceil(seat.queue.length / (count * group.seats.length)) - 1;
  return full.startAtMs + runMs(full) + runsBehind * runMs(hurried) <= hurried.latestMs;
}

const runMs = ({ deadlineMs, latestMs }: Candidate): number => deadlineMs - latestMs;

/**
 * The latest start, sooner for those that lost some or would with the next one lose much. Of a group of few inputs the one batch that comes too late
 * is all there is, of one of many only the most urgent inputs are lost: by latest start alone the small ones would lose most.
 */
function dueMs(candidate: Candidate): number {
  const { latestMs, group } = candidate;
  const lossMs = LOSS_URGENCY_MS * group.lossShare;
  if (isPatient(candidate)) return latestMs - lossMs;
  const stakeMs = LOSS_URGENCY_MS / (STAKE_S * group.rateHz);
  return latestMs - lossMs - Math.min(stakeMs, STAKE_BUDGET_SHARE_MAX * group.budgetMs);
}

/** Among those that have to hurry. What an input costs is that of one more in a batch, about, whatever the group's objective and rate. */
function turnMs(candidate: Candidate): number {
  const { seat } = candidate;
  const eachMs = seat.latencyMs(seat.batchMax) / seat.batchMax;
  return dueMs(candidate) + LOSS_URGENCY_MS * DEAR_LOSS_SHARE * Math.log(eachMs);
}

const hasToHurry = (candidate: Candidate, rival: Candidate): boolean =>
  dueMs(candidate) - candidate.startAtMs < hurryShare(candidate, rival) * candidate.group.budgetMs;

function hurryShare(candidate: Candidate, rival: Candidate): number {
  if (!isPatient(candidate)) return HURRY_SHARE;
  return isPatient(rival) ? AMONG_PATIENT_HURRY_SHARE : PATIENT_HURRY_SHARE;
}

const isPatient = ({ group }: Candidate): boolean => group.budgetMs >= PATIENT_MS;

/** Throughput of the batch by that of the group's target batch. */
function efficiency({ seat, count, group }: Candidate): number {
  const target = Math.min(seat.batchMax, Math.max(1, group.batchTarget));
  return (seat.latencyMs(target) * count) / (target * seat.latencyMs(count));
}

/** A load that needs batches above this share of the target presses: then even what prefers latency waits for such a batch. */
const PRESSING_SHARE = 1 / 2;

/**
 * A group that has the pool for itself gains by waiting for the batch that its load needs: the hosts then take turns, as the target
 * assumes. Among several groups the batches that waited would collide.
 */
const isWorthGrowing = ({ group, count }: Candidate): boolean =>
  count < group.batchSustain && group.batchSustain > PRESSING_SHARE * group.batchTarget;

/**
 * Starts at once what prefers latency; defers the rest, while another host would idle anyway, until waiting can't make its batch
 * larger. More urgent invocations are passed over only for batches that the load needs.
 */
export const hybrid = (): Policy =>
  dispatchBy({
    name: 'hybrid',
    need: group => group.batchSustain,
    openAtMs: (candidate, { idle, alone }) => {
      const { group, from, frontrunMs } = candidate;
      if (from > 0) return -Infinity;
      if (alone && isWorthGrowing(candidate)) return frontrunMs;
      return group.prefersLatency || idle < 2 ? -Infinity : frontrunMs;
    },
    isBefore: goesBefore,
  });

/** Starts whatever waits as soon as a host is free, the earliest deadline first. Early drop as in Nexus. */
export const eager = (): Policy =>
  dispatchBy({
    name: 'eager',
    need: group => group.batchTarget,
    openAtMs: () => -Infinity,
    isBefore: (one, other) => one.deadlineMs < other.deadlineMs,
  });

/** Symphony's rule: each batch waits until waiting can't make it larger (frontrun), whoever idles meanwhile. */
export const deferred = (): Policy =>
  dispatchBy({
    name: 'deferred',
    need: group => group.batchTarget,
    openAtMs: candidate => candidate.frontrunMs,
    isBefore: (one, other) => one.latestMs < other.latestMs,
  });
