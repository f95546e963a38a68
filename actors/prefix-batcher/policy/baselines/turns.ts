import {
  INSTANT_MS,
  isUsable,
  type Decision,
  type Drop,
  type Grant,
  type GroupView,
  type HostView,
  type Policy,
  type PoolView,
  type SeatView,
} from '../view.ts';

/** What a host does with one of its queues when that has its turn. */
export interface Turn {
  /** So many of the most urgent are given up. */
  readonly drop: number;
  /** So many of the others run together; 0: none yet. */
  readonly count: number;
  /** Nothing runs: when it should be looked at again. Default: when something arrives. */
  readonly againAtMs?: number;
}

export interface TurnRules {
  readonly name: string;
  /** Batches run whole, in time or not. Default false. */
  readonly late?: boolean;
  /** The seat's queue isn't empty, and a batch of one could be granted. */
  turn(group: GroupView, seat: SeatView, nowMs: number): Turn;
  finished?(grant: Grant, endedAtMs: number): void;
}

/** The round of one host: whose turn is next. */
interface Round {
  readonly seats: readonly { readonly group: GroupView; readonly seat: SeatView }[];
  next: number;
}

/**
 * Hosts with queues of their own that know nothing of each other. Each serves its models by turns, one batch after the other, and
 * passes over those that have nothing to run (the loop of Nexus's GpuExecutorMultiBatching, which is no time table: the duty cycle is the
 * plan's alone).
 */
export class Turns implements Policy {
  readonly queues = 'host';
  readonly #rules: TurnRules;
  readonly #rounds = new Map<HostView, Round>();
  #known: PoolView | undefined;

  constructor(rules: TurnRules) {
    this.#rules = rules;
  }

  get name(): string {
    return this.#rules.name;
  }

  decide(view: PoolView, changed?: GroupView): Decision {
    if (view !== this.#known) this.#meet(view);
    const drops: Drop[] = [];
    const grants: Grant[] = [];
    let wakeAtMs = Infinity;
    for (const host of changed ? changed.seats.map(seat => seat.host) : view.hosts) {
      const round = this.#rounds.get(host);
      if (!round) continue;
      wakeAtMs = Math.min(
        wakeAtMs,
        isUsable(host, view.nowMs)
          ? this.#serve(host, round, view.nowMs, { drops, grants })
          : giveUp(round, view.nowMs, drops),
      );
    }
    return { drops, grants, wakeAtMs: drops.length + grants.length > 0 ? view.nowMs : wakeAtMs };
  }

  finished(grant: Grant, endedAtMs: number): void {
    this.#rules.finished?.(grant, endedAtMs);
  }

  #meet(view: PoolView): void {
    this.#known = view;
    this.#rounds.clear();
    for (const host of view.hosts) {
      const seats = view.groups.flatMap(group => {
        const seat = group.seatOn(host);
        return seat ? [{ group, seat }] : [];
      });
      if (seats.length > 0) this.#rounds.set(host, { seats, next: 0 });
    }
  }

  /** Grants the host a batch of the first in turn that has one. @returns when to look again */
  #serve(host: HostView, round: Round, nowMs: number, out: { drops: Drop[]; grants: Grant[] }): number {
    let wakeAtMs = Infinity;
    for (let i = 0; i < round.seats.length; i++) {
      const at = (round.next + i) % round.seats.length;
      const { group, seat } = round.seats[at]!;
      if (!seat.resident) wakeAtMs = Math.min(wakeAtMs, giveUpIn(group, nowMs, out.drops));
      if (host.granted || !seat.resident || seat.queue.length === 0) continue;
      const dueMs = host.freeAtMs - seat.leadMs(Math.min(seat.queue.length, seat.batchMax));
      if (dueMs > nowMs + INSTANT_MS) return Math.min(wakeAtMs, dueMs);
      const { drop, count, againAtMs = Infinity } = this.#rules.turn(group, seat, nowMs);
      if (drop > 0) out.drops.push({ group, queue: seat.queue, count: drop });
      if (count > 0) {
        out.grants.push(this.#grant(group, seat, { drop, count, nowMs }));
        round.next = (at + 1) % round.seats.length;
        return wakeAtMs;
      }
      wakeAtMs = Math.min(wakeAtMs, againAtMs);
    }
    return wakeAtMs;
  }

  #grant(
    group: GroupView,
    seat: SeatView,
    { drop, count, nowMs }: { drop: number; count: number; nowMs: number },
  ): Grant {
    const startAtMs = startOf(seat, count, nowMs);
    const latestAtMs = seat.queue.deadlineAt(drop) - seat.latencyOf(drop, count);
    return { group, seat, from: 0, count, startAtMs, latestAtMs, late: this.#rules.late ?? false };
  }
}

/** When a batch of that size would start if it were granted now. */
export const startOf = (seat: SeatView, size: number, nowMs: number): number =>
  Math.max(nowMs + seat.leadMs(size), seat.host.freeAtMs);

/** A host that can't be used keeps its queues until a deadline has passed. */
const giveUp = ({ seats }: Round, nowMs: number, drops: Drop[]): number =>
  seats.reduce((wakeAtMs, { group }) => Math.min(wakeAtMs, giveUpIn(group, nowMs, drops)), Infinity);

function giveUpIn(group: GroupView, nowMs: number, drops: Drop[]): number {
  let wakeAtMs = Infinity;
  for (const { queue, seats } of group.lots) {
    if (queue.length === 0 || seats.some(seat => isUsable(seat.host, nowMs))) continue;
    const count = queue.countBefore(nowMs);
    if (count > 0) drops.push({ group, queue, count });
    if (count < queue.length) wakeAtMs = Math.min(wakeAtMs, queue.deadlineAt(count) + 2 * INSTANT_MS);
  }
  return wakeAtMs;
}
