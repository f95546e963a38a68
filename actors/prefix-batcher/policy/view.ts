/**
 * What a policy sees and says. All times are milliseconds on the batcher's monotonic clock; a policy reads no clock and does no
 * I/O. Each pool of each plan has an instance of its own. Ours remember only when they want to look at which group again. One that
 * needs more (whose turn it is, how large a batch may be) learns it from its own grants, which are always carried out, and from
 * {@link Policy.finished}.
 */

/** What a policy knows of a waiting invocation. */
export interface Waiting {
  /** When its run must have ended: the router's deadline less the way back. */
  readonly deadlineMs: number;
  /** When it came. */
  readonly arrivedAtMs?: number;
}

/** Waiting invocations by deadline, the earliest first; equal ones in the order in which they came. */
export interface QueueView {
  readonly length: number;
  /** Deadline of the i-th (0 ≤ i < length). */
  deadlineAt(index: number): number;
  /** When the i-th came; −∞ where nobody knows. */
  arrivedAt(index: number): number;
  /** How many have a deadline before `timeMs`; they are the first ones. */
  countBefore(timeMs: number): number;
}

export interface HostView {
  readonly name: string;
  /** When the device is free of the batch that it runs, as far as known; in the past when it idles. */
  readonly freeAtMs: number;
  /** When it is free of what was granted, too. */
  readonly bookedUntilMs: number;
  /** A batch was granted that has not started yet. */
  readonly granted: boolean;
  /**
   * Until then a batch may be granted besides what was granted: ∞ where nothing is, −∞ where two are or one that must run alone. What should have
   * started and has not comes first.
   */
  readonly openUntilMs: number;
  /** It counts as gone after that, unless it gives another sign of life. */
  readonly usableUntilMs: number;
  /** About the longest lead of any batch there: before `bookedUntilMs` less this, nobody needs to look at it. */
  readonly leadMsMax: number;
}

/** A group's place on a host. */
export interface SeatView {
  readonly host: HostView;
  /** The host holds some of the group's models now: those of `queue`. */
  readonly resident: boolean;
  /** What it can run of what waits. */
  readonly queue: QueueView;
  readonly batchMax: number;
  /** The host runs a larger batch in several runs of at most so many. */
  readonly runMax: number;
  /**
   * ℓ(b): device time of a batch of 1 ≤ b ≤ batchMax, with the margin that deadlines need. Grows with b. In a prefix group it also
   * depends on whose invocations they are: this is a batch as it usually is composed.
   */
  latencyMs(batch: number): number;
  /** The same of [from, from + count) of `queue`, with `more` usual ones (default 0). */
  latencyOf(from: number, count: number, more?: number): number;
  /** No batch of that size takes less, whosever invocations they are. */
  leastMs(batch: number): number;
  /** From the grant until the payloads of such a batch are ready on the host. */
  leadMs(batch: number): number;
}

/** Waiting invocations of a group that the same seats can run: all of them, unless members of a prefix group are spread. */
export interface LotView {
  readonly queue: QueueView;
  /** Seats that hold their models now. */
  readonly seats: readonly SeatView[];
  /** Seats that the plan gives their models. */
  readonly planned: readonly SeatView[];
}

/** Invocations that can run together: those of one model, or of the models of a prefix group. */
export interface GroupView {
  readonly models: readonly string[];
  /** All that wait. */
  readonly queue: QueueView;
  readonly lots: readonly LotView[];
  readonly seats: readonly SeatView[];
  seatOn(host: HostView): SeatView | undefined;
  /** At least one invocation waits whose session prefers latency to idle devices. */
  readonly prefersLatency: boolean;
  /** Usual time from an arrival until its run must have ended. */
  readonly budgetMs: number;
  /** Invocations per second, recent mean. */
  readonly rateHz: number;
  /** The largest batch that staggered hosts can run within the objective at the present rate (see target.ts). */
  readonly batchTarget: number;
  /** The smallest batch at which the pool sustains its present load. */
  readonly batchSustain: number;
  /** Of the latest invocations, the share that was dropped since no host could run them in time. */
  readonly lossShare: number;
  /** Where hosts have queues of their own: inputs of a batch that capacity was planned with. */
  readonly batchPlanned?: number | undefined;
}

export interface PoolView {
  readonly nowMs: number;
  readonly groups: readonly GroupView[];
  readonly hosts: readonly HostView[];
  /** Of the hosts at this moment, where the pool knows without asking each of them: the same lists as long as nobody comes or goes. */
  readonly around?: Around;
  /** Since the latest answer nothing has changed but the time. */
  readonly onlyTimePassed?: boolean;
}

/** The hosts that a batch could be granted to now, and when the next one comes near. */
export interface Around {
  /** Hosts without work. */
  readonly idle: number;
  readonly near: readonly HostView[];
  readonly nearAtMs: number;
}

/** Run the waiting invocations [from, from + count) of the seat's queue together on the seat's host. */
export interface Grant {
  readonly group: GroupView;
  readonly seat: SeatView;
  readonly from: number;
  readonly count: number;
  readonly startAtMs: number;
  /** The latest start at which all are still in time. */
  readonly latestAtMs: number;
  /** It runs whole, in time or not. Default: the host leaves out what would be late. */
  readonly late?: boolean;
}

/** Give up the first `count` invocations of a lot's queue: no host can run them in time. */
export interface Drop {
  readonly group: GroupView;
  readonly queue: QueueView;
  readonly count: number;
}

export interface Decision {
  /** Applied before the grants, whose `from` counts without them. */
  readonly drops: readonly Drop[];
  /** At most one a group and a host. The caller carries them out and asks again. */
  readonly grants: readonly Grant[];
  /** Ask again then at the latest, if nothing happens before; Infinity: only when something happens. */
  readonly wakeAtMs: number;
}

export interface Policy {
  readonly name: string;
  /** `changed`: the only group that changed since the latest answer, whose wake-up still stands; the answer is about it alone. */
  decide(view: PoolView, changed?: GroupView): Decision;
  /**
   * `pool` (default): a group has one queue, and which host runs what is decided as late as possible. `host`: an invocation is given to
   * one host when it arrives, by turns in proportion to what each was planned to take, and stays in that host's queue: each
   * group then has one seat.
   */
  readonly queues?: 'pool' | 'host';
  /** A batch ended. `grant`: the object that {@link decide} gave. */
  finished?(grant: Grant, endedAtMs: number): void;
}

/** From the configuration of the batcher. */
export type PolicyOptions = Readonly<Record<string, unknown>>;

/** @throws ConfigError for options that it doesn't know */
export type PolicyFactory = (options?: PolicyOptions) => Policy;

/** Instants closer than this are one: timers and sums of fractions are no more exact. */
export const INSTANT_MS = 1e-3;

/** It may be granted a batch, or one more. */
export const isOpen = (host: HostView, nowMs: number): boolean => nowMs <= host.openUntilMs;

export const isUsable = (host: HostView, nowMs: number): boolean => nowMs <= host.usableUntilMs;
