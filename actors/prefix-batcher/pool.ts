import type { DropReason } from '../../contracts/index.ts';
import { AloneLane } from './alone.ts';
import { Fairness } from './fairness.ts';
import type { Group, Item } from './group.ts';
import type { Host } from './host.ts';
import {
  batchesSustaining,
  isOpen,
  isUsable,
  Surroundings,
  type Around,
  type DeadlineQueue,
  type Drop,
  type Grant,
  type Policy,
  type PoolView,
  type QueueView,
} from './policy/index.ts';
import { judgeAll, PROBE_MS, PROBE_MS_MAX } from './pace.ts';
import type { Seat } from './seat.ts';

/** How often rates and batch sizes that follow from them are brought up to date. */
const MEASURE_MS = 100;
/** The share of the devices' time that batches may be sized for; the rest is for bursts. */
const LOAD_SHARE = 0.95;
/** More rounds in one instant are a fault of the policy. */
const ROUNDS_MAX = 10_000;

/** A batch that has been formed: its items are no longer in the queue. */
export interface Batch<T extends Item> {
  readonly group: Group<T>;
  readonly seat: Seat;
  readonly items: readonly T[];
  readonly startAtMs: number;
  readonly latestAtMs: number;
  /** What the policy said; absent where the pool itself decided. */
  readonly grant?: Grant;
}

/** Carries out what the policy decides about. */
export interface PoolEffects<T extends Item> {
  /** Books the batch on its host and tells everybody. */
  grant(batch: Batch<T>): void;
  /** deadline: none can be in time any more; no-capacity: its tenant has had its share. */
  drop(items: readonly T[], reason: DropReason): void;
}

/** The queues and hosts that one policy decides about. No I/O, no clock: time is told with each call. */
export class Pool<T extends Item> implements PoolView {
  readonly name: string;
  readonly groups: readonly Group<T>[];
  readonly hosts: readonly Host[];
  nowMs = 0;
  queued = 0;
  onlyTimePassed = false;
  readonly #surroundings: Surroundings;
  readonly #members: ReadonlySet<Host>;
  readonly #alone: AloneLane<T>;
  readonly #fairness = new Fairness();
  readonly #policy: Policy;
  readonly #effects: PoolEffects<T>;
  #relieved: readonly Host[] = [];
  #measuredAtMs = -Infinity;
  #wakeAtMs = Infinity;

  constructor(parts: {
    name: string;
    groups: readonly Group<T>[];
    hosts: readonly Host[];
    policy: Policy;
    effects: PoolEffects<T>;
  }) {
    this.name = parts.name;
    this.groups = parts.groups;
    this.hosts = parts.hosts;
    this.#policy = parts.policy;
    this.#effects = parts.effects;
    this.#alone = new AloneLane(parts.hosts);
    this.#members = new Set(parts.hosts);
    this.#surroundings = new Surroundings(parts.hosts);
    for (const [i, host] of parts.hosts.entries())
      host.watchers = [...host.watchers, () => this.#surroundings.changed(i)];
  }

  get around(): Around {
    return this.#surroundings.at(this.nowMs);
  }

  has(host: Host): boolean {
    return this.#members.has(host);
  }

  /** When {@link settle} is due, if nothing happens before. */
  get wakeAtMs(): number {
    return this.#wakeAtMs;
  }

  /** One arrival, decided about at once: bursts must be considered one arrival at a time. */
  add(group: Group<T>, item: T, nowMs: number): void {
    if (!item.alone) {
      group.note(item, nowMs);
      if (!this.#fairness.admits(item.session.tenant ?? '', group.costMs))
        return this.#effects.drop([item], 'no-capacity');
    }
    this.enqueue(group, item);
    this.settle(nowMs, group);
  }

  /** Takes over what waited elsewhere; {@link settle} must follow. */
  enqueue(group: Group<T>, item: T): void {
    if (item.alone) this.#alone.add(group, item);
    else group.add(item);
    this.queued++;
  }

  remove(group: Group<T>, item: T): void {
    if (item.alone ? this.#alone.remove(item) : group.remove(item)) this.queued--;
  }

  /** Empties all queues. */
  removeAll(): T[] {
    const apart = this.#alone.removeAll();
    this.queued -= apart.length;
    return [...apart, ...this.groups.flatMap(group => this.#take(group, group.queue, 0, group.queue.length))];
  }

  /** It is {@link wakeAtMs}, and nothing has happened. */
  wake(nowMs: number): void {
    this.onlyTimePassed = true;
    this.settle(nowMs);
    this.onlyTimePassed = false;
  }

  /** Carries out what the policy decides, until it decides nothing more. `changed`: the only group that changed since. */
  settle(nowMs: number, changed?: Group<T>): void {
    this.nowMs = nowMs;
    if (nowMs - this.#measuredAtMs >= MEASURE_MS) this.#measure();
    if (!this.#alone.isQuiet) this.#settleAlone();
    for (const host of this.#relieved) if (host.relieved) this.#probe(host);
    let only = changed;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const { drops, grants, wakeAtMs } = this.#policy.decide(this, only);
      if (drops.length > 0) this.#drop(drops);
      for (const grant of grants) this.#grant(grant);
      if (drops.length === 0 && grants.length === 0) {
        this.#wakeAtMs = Math.min(only ? this.#wakeAtMs : Infinity, wakeAtMs, this.#alone.wakeAtMs);
        return;
      }
      only = undefined;
      this.onlyTimePassed = false;
    }
    throw new Error(`policy ${this.#policy.name} of pool ${this.name} finds no end`);
  }

  /** One invocation, that with the most time left, shows whether a relieved host is well again. */
  #probe(host: Host): void {
    const { pace } = host;
    if (this.nowMs < pace.probeAtMs || !host.isAlive(this.nowMs) || host.granted || !host.idle) return;
    for (const group of this.groups) {
      const seat = group.seatOn(host);
      if (!seat?.resident || seat.queue.length === 0) continue;
      const startAtMs = this.nowMs + seat.leadMs(1);
      const last = seat.queue.length - 1;
      const latestAtMs = seat.queue.deadlineAt(last) - pace.ratio * seat.curve.meanMs[1]!;
      if (latestAtMs < startAtMs && this.nowMs < pace.probeAtMs + PROBE_MS_MAX) continue;
      pace.probeAtMs = this.nowMs + PROBE_MS;
      this.onlyTimePassed = false;
      this.#effects.grant({
        group,
        seat,
        items: this.#take(group, seat.queue, last, 1),
        startAtMs,
        latestAtMs: Math.max(startAtMs, latestAtMs),
      });
      return;
    }
  }

  /** Relieves hosts that are slow or wrong by themselves, as long as others are there. */
  #judgeHosts(): void {
    const alive = this.hosts.filter(host => host.isAlive(this.nowMs));
    judgeAll(alive.map(({ pace }) => pace));
    const well = alive.filter(({ pace }) => !pace.ails).length;
    for (const host of this.hosts) host.relieved = host.pace.ails && well > 0;
    this.#relieved = this.hosts.filter(({ relieved }) => relieved);
  }

  #settleAlone(): void {
    this.onlyTimePassed = false;
    const { drops, grants } = this.#alone.settle(this.nowMs, this.queued > this.#alone.length);
    this.queued -= drops.length + grants.length;
    if (drops.length > 0) this.#effects.drop(drops, 'budget');
    for (const batch of grants) this.#effects.grant(batch);
  }

  /** A batch that the policy granted has ended; {@link settle} must follow. */
  finished(grant: Grant, nowMs: number): void {
    this.#policy.finished?.(grant, nowMs);
  }

  #grant(grant: Grant): void {
    const { from, count, startAtMs, latestAtMs } = grant;
    const [group, seat] = [grant.group as Group<T>, grant.seat as Seat];
    this.#fairness.served(count * group.costMs);
    group.ended(count, 'granted');
    if (!isOpen(seat.host, this.nowMs)) throw new Error(`${seat.host.name} was granted a batch too far ahead`);
    const items = this.#take(group, seat.queue, from, count);
    this.#effects.grant({ group, seat, items, startAtMs, latestAtMs, grant });
  }

  #drop(drops: readonly Drop[]): void {
    const taken = drops.map(({ group, queue, count }) => this.#take(group as Group<T>, queue, 0, count));
    for (const [i, items] of taken.entries()) {
      const group = drops[i]!.group as Group<T>;
      this.#fairness.dropped(items.length * group.costMs);
      group.ended(items.length, 'dropped');
      const couldRun = group.seats.some(({ resident, host }) => resident && isUsable(host, this.nowMs));
      this.#effects.drop(items, this.queued > 0 && couldRun ? 'deadline' : 'budget');
    }
  }

  #take(group: Group<T>, queue: QueueView, from: number, count: number): T[] {
    const items = group.take(queue as DeadlineQueue<T>, from, count);
    this.queued -= items.length;
    return items;
  }

  #measure(): void {
    this.onlyTimePassed = false;
    const elapsedMs = Number.isFinite(this.#measuredAtMs) ? this.nowMs - this.#measuredAtMs : 0;
    this.#measuredAtMs = this.nowMs;
    this.#fairness.measure(elapsedMs);
    this.#judgeHosts();
    for (const host of this.hosts) host.measure();
    const demanding = this.groups.flatMap(group => {
      const demand = group.measure(this.nowMs, elapsedMs);
      return demand ? [{ group, demand }] : [];
    });
    const devices = LOAD_SHARE * this.hosts.filter(host => isUsable(host, this.nowMs)).length;
    const batches = batchesSustaining(
      demanding.map(({ demand }) => demand),
      demanding.map(({ group }) => group.batchTarget),
      devices,
    );
    demanding.forEach(({ group }, i) => (group.batchSustain = batches[i]!));
  }
}
