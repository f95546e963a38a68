import {
  InvalidMessageError,
  randomId,
  type BatcherBeat,
  type Clock,
  type DropReason,
  type HostBeat,
  type Log,
  type Offers,
  type Plan,
  type Progress,
  type Random,
  type Withdrawals,
} from '../../contracts/index.ts';
import { Books } from './books.ts';
import type { BatcherConfig } from './config.ts';
import { Host, START_GRACE_MS } from './host.ts';
import { invocationAt, turnOf, type Invocation } from './invocation.ts';
import { Mail, type Post } from './mail.ts';
import { lessonsKey, placementOf, type Lasting, type Placement } from './placement.ts';
import type { PolicyFactory } from './policy/index.ts';
import type { Batch, Pool } from './pool.ts';
import type { Lessons } from './seat.ts';
import { Tally } from './tally.ts';
import { Ways } from './ways.ts';

/** Hosts and routers known at most: more can only be a fault or an attack. */
const PEERS_MAX = 10_000;
/** A host that the plan doesn't name is forgotten after so long without a sign of life. */
const FORGET_MS = 60_000;

const NONE_APART: ReadonlyMap<number, string> = new Map();

export interface BatcherParts {
  readonly id: string;
  readonly config: BatcherConfig;
  readonly policy: PolicyFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly post: Post;
}

/** All that a batcher knows and decides; what it says leaves through `post` when {@link send} is called. */
export class Batcher {
  readonly #parts: BatcherParts;
  readonly #mail: Mail;
  readonly #run: string;
  readonly #hosts = new Map<string, Host>();
  readonly #lessons = new Map<string, Lessons>();
  readonly #books = new Books();
  readonly #tally = new Tally();
  readonly #ways: Ways;
  #plan: Plan | undefined;
  #placement: Placement = { pools: new Map(), places: new Map(), elsewhere: new Set() };
  #batches = 0;

  constructor(parts: BatcherParts) {
    this.#parts = parts;
    this.#mail = new Mail(parts.id, parts.post);
    this.#run = randomId(parts.random, 4);
    this.#ways = new Ways(parts.config);
  }

  get plan(): Plan | undefined {
    return this.#plan;
  }

  get pools(): Iterable<Pool<Invocation>> {
    return this.#placement.pools.values();
  }

  /**
   * Follows `plan` from now on, in one step: what waits moves to where its session is now, or back to its router; what has been
   * granted just finishes. False when the plan in force is as new.
   */
  follow(plan: Plan): boolean {
    const current = this.#plan;
    if (current && plan.epoch <= current.epoch) return false;
    const before = this.#placement;
    for (const host of this.#hosts.values()) {
      host.seats = [];
      host.watchers = [];
    }
    this.#placement = placementOf(plan, this.#parts.id, this.#lasting(before));
    const waiting = [...before.pools.values()].flatMap(pool => pool.removeAll());
    this.#plan = plan;
    for (const item of waiting) this.#readmit(item);
    const planned = new Set(
      plan.hosts.flatMap(({ host, models }) => models.map(({ model }) => lessonsKey(host, model))),
    );
    for (const key of this.#lessons.keys()) if (!planned.has(key)) this.#lessons.delete(key);
    this.#settleAll();
    return true;
  }

  offers(pool: string, { router, sessions, ids, session, budgetMs, bytes, alone = [], avoid = [] }: Offers): void {
    if (session.length !== ids.length || budgetMs.length !== ids.length || bytes.length !== ids.length) {
      throw new InvalidMessageError({
        where: `offers.${pool}`,
        path: '/ids',
        detail: 'must be as long as the other columns',
      });
    }
    const nowMs = this.#parts.clock.nowMs();
    const book = this.#books.of(router);
    const apart = alone.length === 0 ? NONE_APART : new Map(alone.map((id, i) => [id, avoid[i] ?? '']));
    const places = sessions.map(name => this.#placement.places.get(name));
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (book.waiting.get(id)) continue;
      const place = turnOf(places[session[i]!]);
      if (!place) {
        this.#refuse(router, pool, sessions[session[i]!], id);
      } else if (this.#books.size >= this.#parts.config.queueMax) {
        this.#mail.drop(router, pool, 'no-capacity', id);
        this.#tally.of(pool).dropped++;
      } else {
        const facts = {
          id,
          book,
          arrivedAtMs: nowMs,
          answerByMs: nowMs + budgetMs[i]!,
          bytes: bytes[i]!,
          alone: apart.has(id),
          avoid: apart.get(id) ?? '',
        };
        const item = invocationAt(place, facts);
        this.#books.enter(item);
        place.pool.add(place.group, item, nowMs);
      }
    }
  }

  withdraw({ router, ids }: Withdrawals): void {
    for (const id of ids) {
      const item = this.#books.find(router, id);
      if (!item) continue;
      this.#books.strike(item);
      item.place.pool.remove(item.place.group, item);
    }
  }

  beat(name: string, beat: HostBeat): void {
    if (!this.#hosts.has(name) && this.#hosts.size >= PEERS_MAX) return;
    const host = this.#host(name);
    host.beat(beat, this.#parts.clock.nowMs());
    this.#settleFor(host);
  }

  progress(progress: Progress): void {
    const host = this.#hosts.get(progress.host);
    if (!host) return;
    const nowMs = this.#parts.clock.nowMs();
    const booking = host.progress(progress, nowMs, nowMs - this.#ways.oneWayMs);
    if (booking) {
      const { seat, size, bytes } = booking;
      const { heldMs } = progress;
      if (heldMs !== undefined) this.#ways.observeRoundTrip(nowMs - booking.grantedAtMs - heldMs);
      const ran = progress.size;
      if (ran > 0 && ran <= size && progress.phase === 'finished') {
        const meanMs = seat.meanOfSome(booking.meanMs, ran, size);
        seat.lessons.fit.observe(meanMs, progress.runMs);
        host.pace.observe(meanMs, progress.runMs, (progress.wrong ?? 0) > 0);
      }
      if (progress.phase === 'finished' && booking.grant)
        this.#placement.pools.get(booking.pool)?.finished(booking.grant, this.#parts.clock.nowMs());
      if (progress.phase === 'started') seat.lessons.lead.observe(size, bytes, progress.fillMs);
      if (progress.phase === 'refused') this.#tally.of(booking.pool).refused += size;
    }
    this.#settleFor(host);
  }

  /** A wake-up of a pool. One that is no longer in force has nothing to do. */
  wake(pool: Pool<Invocation>): void {
    const nowMs = this.#parts.clock.nowMs();
    this.#ways.observeTimer(nowMs - pool.wakeAtMs);
    pool.wake(nowMs);
  }

  /** Once a second: looks at everything again, and forgets what is long gone. */
  tick(): void {
    const nowMs = this.#parts.clock.nowMs();
    for (const { fit, lead } of this.#lessons.values()) {
      fit.relax();
      lead.relax();
    }
    this.#ways.relax();
    this.#books.prune();
    const planned = new Set(this.#plan?.hosts.map(({ host }) => host));
    for (const [name, { seenAtMs }] of this.#hosts) {
      if (!planned.has(name) && nowMs - seenAtMs > FORGET_MS) this.#hosts.delete(name);
    }
    this.#settleAll();
  }

  /** Gives everything that waits back to its router: another batcher, or a new start of this one, will serve it. */
  handBack(): void {
    for (const pool of this.pools) {
      for (const item of pool.removeAll()) {
        this.#books.strike(item);
        this.#mail.refuse(item.book.router, pool.name, 'not-in-charge', item.id);
      }
    }
  }

  /** Says what was decided since the latest call. */
  send(): void {
    this.#mail.send(this.#plan?.epoch ?? 0, this.#parts.clock.nowMs());
  }

  report(): Pick<BatcherBeat, 'epoch' | 'nonce' | 'policy' | 'incarnation' | 'pools' | 'ailing'> {
    const pools = [...this.pools].map(pool => ({ pool: pool.name, queued: pool.queued, ...this.#tally.of(pool.name) }));
    const { epoch = 0, nonce = '' } = this.#plan ?? {};
    const ailing = [...this.#hosts.values()]
      .filter(({ seats, pace }) => seats.length > 0 && pace.ails)
      .map(({ name, pace, relieved }) => ({ host: name, times: pace.ratio, wrong: pace.wrongShare, relieved }));
    const { policy } = this.#parts.config;
    return { epoch, nonce, policy, incarnation: this.#run, pools, ...(ailing.length > 0 ? { ailing } : {}) };
  }

  #grant(pool: string, { seat, items, startAtMs, latestAtMs, grant }: Batch<Invocation>): void {
    const id = `${this.#parts.id}-${this.#run}-${++this.#batches}`;
    const host = seat.host.name;
    const size = items.length;
    const meanMs = seat.meanMs(items);
    const expectedMs = seat.lessons.fit.expectedMs(meanMs);
    let bytes = 0;
    let returnMs = 0;
    for (const item of items) {
      bytes += item.bytes;
      returnMs = Math.max(returnMs, item.place.returnMs());
      this.#books.strike(item);
    }
    seat.host.grant({
      batch: id,
      pool,
      seat,
      size,
      bytes,
      meanMs,
      expectedMs,
      grantedAtMs: this.#parts.clock.nowMs(),
      startAtMs,
      startByMs: startAtMs + START_GRACE_MS,
      alone: items[0]!.alone,
      grant,
    });
    const answerByMs = startAtMs + Math.max(expectedMs, seat.latencyMs(size)) + returnMs;
    const { models, model } = seat.partsOf(items);
    const late = grant?.late ?? false;
    this.#mail.grant({ id, pool, host, models, model, items, startAtMs, latestAtMs, expectedMs, answerByMs, late });
    const counts = this.#tally.of(pool);
    counts.granted += size;
    counts.batches++;
    counts.models += models.length;
    if (models.length > 1) counts.mixed++;
  }

  #drop(pool: string, items: readonly Invocation[], reason: DropReason): void {
    for (const item of items) {
      this.#books.strike(item);
      this.#mail.drop(item.book.router, pool, reason, item.id);
    }
    this.#tally.of(pool).dropped += items.length;
  }

  /** After a commit: to its new place, or back. */
  #readmit(item: Invocation): void {
    const { id, book, answerByMs, bytes, alone, avoid, arrivedAtMs } = item;
    const place = turnOf(this.#placement.places.get(item.session.name));
    this.#books.strike(item);
    if (!place) {
      this.#refuse(book.router, item.place.pool.name, item.session.name, id);
      return;
    }
    const moved = invocationAt(place, { id, book, answerByMs, bytes, alone, avoid, arrivedAtMs });
    this.#books.enter(moved);
    place.pool.enqueue(place.group, moved);
  }

  #refuse(router: string, pool: string, session: string | undefined, id: number): void {
    const known = session !== undefined && this.#placement.elsewhere.has(session);
    this.#mail.refuse(router, pool, known ? 'not-in-charge' : 'unknown-session', id);
    this.#tally.of(pool).refused++;
  }

  #host(name: string): Host {
    let host = this.#hosts.get(name);
    if (!host) {
      host = new Host(name);
      this.#hosts.set(name, host);
    }
    return host;
  }

  #settleAll(): void {
    for (const pool of this.pools) pool.settle(this.#parts.clock.nowMs());
  }

  #settleFor(host: Host): void {
    for (const pool of this.pools) if (pool.has(host)) pool.settle(this.#parts.clock.nowMs());
  }

  #lasting(before: Placement): Lasting {
    return {
      config: this.#parts.config,
      log: this.#parts.log,
      lessons: this.#lessons,
      ways: this.#ways,
      host: name => this.#host(name),
      rateHz: (pool, model) =>
        before.pools
          .get(pool)
          ?.groups.find(group => group.models.includes(model))
          ?.rateHzOf(model),
      policy: this.#parts.policy,
      effects: pool => ({
        grant: batch => this.#grant(pool, batch),
        drop: (items, reason) => this.#drop(pool, items, reason),
      }),
    };
  }
}
