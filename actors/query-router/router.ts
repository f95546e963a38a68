import { coalesce, publishers, type ActorContext, type ActorInit } from '../actor/index.ts';
import {
  intBetween,
  PayloadTooLargeError,
  randomId,
  subjects,
  type Answers,
  type BatcherBeat,
  type HostBeat,
  type Imaging,
  type Outcome,
  type Payload,
  type Payloads,
  type Picture,
  type Plan,
  type Result,
  type RouterBeat,
  type Trouble,
  type Verdicts,
} from '../../contracts/index.ts';
import { AlarmClock } from './alarm-clock.ts';
import { AnsweredIds } from './answered-ids.ts';
import { Batchers } from './batchers.ts';
import { Catalog, type Route, type Taker } from './catalog.ts';
import type { RouterConfig } from './config.ts';
import { Hosts, type Fate } from './hosts.ts';
import { Meters } from './meter.ts';
import { look, type Look } from './looking.ts';
import { dataBytes, ENVELOPE_BYTES, Outgoing, packedBytes, parcels } from './outgoing.ts';
import { open, unfit, type Asked } from './opening.ts';
import type { Query, Stage } from './query.ts';
import * as life from './request.ts';
import type { CutJob, Effects, Granted, Invocation, Request, SizeJob } from './lives.ts';
import { ID_MAX, LiveIds } from './live-ids.ts';
import { rejection, resultOf, withoutOutputs } from './results.ts';
import { Suspicions, type Loss } from './suspicion.ts';
import * as trouble from './trouble.ts';

export type RouterContext = ActorContext<RouterConfig, Router>;

/** All that a router holds, and the hands that carry out what the requests' lives ask for. */
export class Router implements Effects {
  readonly catalog: Catalog;
  readonly meters: Meters;
  readonly #hosts = new Hosts();
  readonly #batchers = new Batchers();
  readonly #suspicions = new Suspicions();
  readonly #init: ActorInit<RouterConfig>;
  readonly #imaging: Imaging;
  /** How its requests' ids begin: new at each start, so that they differ from those of an earlier process of this name. */
  readonly #requestPrefix: string;
  readonly #requests = new LiveIds<Request>(0);
  readonly #invocations: LiveIds<Invocation>;
  readonly #answered = new AnsweredIds();
  readonly #alarms: AlarmClock<Request>;
  readonly #outgoing: Outgoing;
  readonly #payloadsTo: (host: string) => (message: Payloads) => boolean;
  #ctx: RouterContext | undefined;
  #heldBytes = 0;
  #requestNumber = 0;
  #beatAtMs: number;
  #whenIdle: (() => void) | undefined;

  constructor(init: ActorInit<RouterConfig>, imaging: Imaging) {
    const { random, clock, log } = init;
    this.#init = init;
    this.#imaging = imaging;
    this.catalog = new Catalog(log, (query, stream) => this.#takerOf(query, stream));
    this.meters = new Meters(random);
    this.#requestPrefix = `${init.id}-${randomId(random, 4)}-`;
    // Late answers to an earlier process of this name must not meet requests of this one.
    this.#invocations = new LiveIds(intBetween(random, 1, ID_MAX));
    this.#beatAtMs = clock.nowMs();
    this.#alarms = new AlarmClock({
      nowMs: () => clock.nowMs(),
      alarm: fn => this.ctx.alarm(fn),
      find: id => this.#requests.get(id),
      wake: request => life.wake(request, clock.nowMs(), this),
    });
    this.#payloadsTo = publishers(
      { publisher: (subject, params, options) => this.ctx.publisher(subject, params, options) },
      subjects.payloads,
      'host',
    );
    const flush = coalesce(clock, () => this.#outgoing.flush());
    this.#outgoing = new Outgoing({
      router: init.id,
      epoch: () => this.catalog.epoch,
      soon: flush,
      waysTo: pool => ({
        offers: this.ctx.publisher(subjects.offers, { pool }),
        withdrawals: this.ctx.publisher(subjects.withdrawals, { pool }),
      }),
    });
  }

  attach(ctx: RouterContext): void {
    this.#ctx = ctx;
  }

  get ctx(): RouterContext {
    if (!this.#ctx) throw new TypeError('the router has not been started');
    return this.#ctx;
  }

  get inFlight(): number {
    return this.#requests.size;
  }
  get heldBytes(): number {
    return this.#heldBytes;
  }

  // ── Intake ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens a request, or rejects it at the door. */
  accept(query: Query, asked: Asked, taker: Taker): void {
    const routes = this.catalog.routesOf(query);
    if (!routes) return this.reject(query, asked, taker, trouble.notServing(query.name, this.catalog.refusalOf(query)));
    const wrong = unfit(query, asked.payload);
    if (wrong !== undefined) return this.reject(query, asked, taker, trouble.malformed(wrong));
    const maxBytes = this.ctx.bus.maxPayloadBytes - ENVELOPE_BYTES;
    const packed = packedBytes(asked.payload);
    if (packed > maxBytes) return this.reject(query, asked, taker, trouble.tooLarge(packed, maxBytes));
    const { inFlightMax } = this.#init.config;
    if (this.#requests.size >= inFlightMax)
      return this.reject(query, asked, taker, trouble.overloaded(`${inFlightMax} requests in flight`));
    const bytes = dataBytes(asked.payload);
    if (!this.hold(bytes)) return this.reject(query, asked, taker, trouble.overloaded(`${this.#heldBytes} bytes`));
    const nowMs = this.#init.clock.nowMs();
    const meter = this.meters.of(query);
    const { epoch } = this.catalog;
    const id = this.#requests.next();
    const facts = { id, number: ++this.#requestNumber, epoch, payloadBytes: bytes, nowMs, meter, taker };
    const request = open(query, asked, facts);
    this.#requests.add(request);
    meter.accepted++;
    if (this.#hasProspects(request, nowMs)) return life.begin(request, nowMs, this);
    meter.turnedAway(query);
    life.giveUp(request, 'dropped', trouble.noProspect(query), nowMs, this);
  }

  reject(query: Query, asked: Pick<Asked, 'stream' | 'seq' | 'meta' | 'budgetMs'>, taker: Taker, why: Trouble): void {
    const meter = this.meters.of(query);
    meter.ended('rejected', 0);
    if (why.retryable) meter.turnedAway(query);
    const { stream, seq, meta } = asked;
    const result = rejection(
      {
        tenant: query.tenant,
        query: query.name,
        stream,
        seq,
        objectiveMs: asked.budgetMs ?? query.objectiveMs,
        epoch: this.catalog.epoch,
        ...(meta ? { meta } : {}),
      },
      this.origin(),
      why,
    );
    taker(result);
  }

  /** Identity of the next result. */
  origin(number = ++this.#requestNumber) {
    return { router: this.#init.id, request: this.#requestPrefix + number };
  }

  // ── What others say ─────────────────────────────────────────────────────────────────────────────────────────────

  takeVerdicts({ grants, drops }: Verdicts): void {
    const nowMs = this.#init.clock.nowMs();
    for (const { batch, host, ids, answerInMs } of grants) {
      const incarnation = this.#hosts.incarnationOf(host);
      this.#takeGrant({ batch, host, incarnation, atMs: nowMs, answerInMs }, ids);
    }
    for (const { reason, ids } of drops) {
      const why = reason === 'budget' && !this.#init.config.borrow ? 'deadline' : reason;
      for (const id of ids) {
        const invocation = this.#invocations.get(id);
        if (invocation) life.dropByBatcher(invocation, why, nowMs, this);
      }
    }
    // Refused ones stay queued: they are offered again when the plan changes, or when their repeat is due.
  }

  takeAnswers(message: Answers): void {
    const nowMs = this.#init.clock.nowMs();
    const { ids, answers } = message;
    this.#hosts.heard(message.host, nowMs);
    for (let i = 0; i < ids.length; i++) {
      const invocation = this.#invocations.get(ids[i]!);
      if (!invocation || invocation.grants === 0) {
        if (this.#answered.has(ids[i]!)) this.meters.duplicates++;
      } else if (answers[i]) life.answer(invocation, message, i, nowMs, this);
    }
  }

  takeHostBeat(host: string, beat: HostBeat): void {
    const nowMs = this.#init.clock.nowMs();
    if (this.#hosts.beat(host, beat, nowMs)) this.#loseHost(host, nowMs, beat.state === 'left');
  }

  /** A batcher that has just taken pools over is offered what waits in them; one with an older plan isn't in charge. */
  takeBatcherBeat(beat: BatcherBeat): void {
    if (beat.epoch < this.catalog.epoch) return;
    const pools = this.#batchers.beat(beat);
    if (pools.length === 0) return;
    const nowMs = this.#init.clock.nowMs();
    for (const invocation of this.#invocations.values())
      if (pools.includes(invocation.pool)) life.repeat(invocation, nowMs, this);
  }

  /** Looks for hosts that have fallen silent. */
  watchHosts(): void {
    const nowMs = this.#init.clock.nowMs();
    for (const host of this.#hosts.lost(nowMs)) this.#loseHost(host, nowMs);
  }

  takePlan(plan: Plan): void {
    if (this.catalog.follow(plan)) this.planChanged();
  }

  planChanged(): void {
    const nowMs = this.#init.clock.nowMs();
    this.#init.log.info('following a plan', { epoch: this.catalog.epoch });
    for (const invocation of this.#invocations.values()) life.repeat(invocation, nowMs, this);
  }

  /** The connection is back: offers, payloads or answers may have been lost, so all that is unanswered is offered again. */
  reconnected(): void {
    const nowMs = this.#init.clock.nowMs();
    this.#hosts.amnesty(nowMs);
    for (const invocation of this.#invocations.values()) {
      if (invocation.state === 'granted') life.lose(invocation, false, nowMs, this);
      else life.repeat(invocation, nowMs, this);
    }
  }

  /** Ends what is still in flight. */
  shutdown(): void {
    const nowMs = this.#init.clock.nowMs();
    for (const request of this.#requests.values()) life.giveUp(request, 'dropped', trouble.shutdown(), nowMs, this);
    this.#outgoing.flush();
  }

  /** Resolves when nothing is in flight, at the latest after `limitMs`. */
  idle(limitMs: number): Promise<void> {
    return new Promise(resolve => {
      if (this.#requests.size === 0) return resolve();
      this.#whenIdle = resolve;
      this.ctx.after(limitMs, resolve);
    });
  }

  report(): RouterBeat {
    const nowMs = this.#init.clock.nowMs();
    const intervalMs = nowMs - this.#beatAtMs;
    this.#beatAtMs = nowMs;
    return {
      v: 1,
      epoch: this.catalog.epoch,
      inFlight: this.#requests.size,
      heldBytes: this.#heldBytes,
      ...this.meters.report(this.catalog.queries(), intervalMs),
      duplicates: this.meters.duplicates,
      reoffers: this.meters.reoffers,
      intervalMs,
      ...this.ctx.vitals(),
    };
  }

  /** The stages behind the first can be expected to take it. A stored frame waits for them. */
  #hasProspects({ query, deadlineMs, meter }: Request, nowMs: number): boolean {
    if (!this.#init.config.crossStageDrop || query.stages.length === 1 || query.durable) return true;
    return meter.prospects.admits(deadlineMs - nowMs, query.objectiveMs, nowMs);
  }

  #takeGrant(granted: Granted, wanted: readonly number[]): void {
    const ids: number[] = [];
    const payloads: Payload[] = [];
    const absent: number[] = [];
    const { maxPayloadBytes } = this.ctx.bus;
    for (const id of wanted) {
      const invocation = this.#invocations.get(id);
      const { payload } = invocation ?? {};
      if (!invocation || !payload) {
        absent.push(id);
      } else if (packedBytes(payload) + ENVELOPE_BYTES > maxPayloadBytes) {
        absent.push(id);
        const why = trouble.pieceTooLarge(invocation.stage, packedBytes(payload), maxPayloadBytes - ENVELOPE_BYTES);
        life.giveUp(invocation.request, 'failed', why, granted.atMs, this);
      } else if (life.grant(invocation, granted, this)) {
        ids.push(id);
        payloads.push(payload);
      } else {
        absent.push(id);
      }
    }
    const send = this.#payloadsTo(granted.host);
    for (const parcel of parcels(ids, payloads, absent, maxPayloadBytes))
      send({ v: 1, router: this.#init.id, batch: granted.batch, ...parcel });
  }

  /** `politely`: it had finished what it was granted before it left. */
  #loseHost(host: string, nowMs: number, politely = false): void {
    let lost = 0;
    for (const invocation of this.#invocations.values()) {
      if (invocation.granted.host !== host || invocation.state !== 'granted') continue;
      lost++;
      life.lose(invocation, !politely, nowMs, this);
    }
    if (politely && lost === 0) this.#init.log.info('a host left', { host });
    else this.#init.log.warn('a host is lost', { host, offeredAgain: lost });
  }

  // ── Effects ─────────────────────────────────────────────────────────────────────────────────────────────────────

  nextId(): number {
    return this.#invocations.next();
  }

  routeOf(query: Query, stage: Stage): Route | undefined {
    return this.catalog.routesOf(query)?.[stage.index];
  }

  hold(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#init.config.heldBytesMax) return false;
    this.#heldBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  track(invocation: Invocation): void {
    this.#invocations.add(invocation);
    invocation.request.meter.invoked(invocation.stage);
  }

  untrack(invocation: Invocation, answered: boolean): void {
    this.#invocations.delete(invocation);
    if (!answered) return;
    this.#answered.add(invocation.id);
    this.#suspicions.acquit(invocation);
  }

  offer(invocation: Invocation, { pool, session }: Route, budgetMs: number): void {
    if (invocation.offeredAtMs >= 0) this.meters.reoffers++;
    const bytes = invocation.bytes > 0 ? invocation.bytes : invocation.request.payloadBytes;
    const { id, alone, wrongOn } = invocation;
    this.#outgoing.offer(pool, session, { id, budgetMs, bytes, alone, avoid: wrongOn });
  }

  fateOf(loss: Loss): Fate {
    return this.#hosts.fateOf(loss);
  }

  lossesBefore(invocation: Invocation): readonly Loss[] {
    return this.#suspicions.lossesBefore(invocation, this.#init.clock.nowMs());
  }

  suspected(invocation: Invocation): void {
    this.#suspicions.keep(invocation, this.#init.clock.nowMs());
  }

  withdraw(invocation: Invocation): void {
    this.#outgoing.withdraw(invocation.pool, invocation.id);
  }

  cut(job: CutJob, frame: Picture): void {
    const regions = job.pieces.map(({ piece }) => piece.region);
    this.#look({
      what: 'cutting boxes out',
      work: () => this.#imaging.crop(frame, regions),
      done: (pictures, nowMs) => life.takeCuts(job, pictures, nowMs, this),
      failed: (detail, input, nowMs) => life.failCut(job, detail, input, nowMs, this),
    });
  }

  measure(job: SizeJob, frame: Picture): void {
    this.#look({
      what: 'measuring a frame',
      work: () => this.#imaging.size(frame),
      done: (size, nowMs) => life.takeSize(job, size, nowMs, this),
      failed: (detail, input, nowMs) => life.failSize(job, detail, input, nowMs, this),
    });
  }

  #look<T extends object>(wanted: Look<T>): void {
    look(wanted, this.#init.clock, (what, work) => this.ctx.spawn(what, work));
  }

  fannedOut({ meter, query }: Request, stage: number, count: number): void {
    meter.fannedOut(query.stages[stage]!, count);
  }

  wakeAt(request: Request): void {
    this.#alarms.set(request);
  }

  end(request: Request, outcome: Outcome, why: Trouble | undefined, nowMs: number): void {
    this.#requests.delete(request);
    const result = resultOf(request, this.origin(request.number), outcome, why, nowMs);
    const { meter } = request;
    meter.ended(outcome, result.latencyMs);
    if (outcome === 'ok') meter.prospects.good(nowMs - request.acceptedAtMs, nowMs);
    else if (outcome !== 'failed' && request.results.some(answers => answers.length > 0)) meter.prospects.wasted(nowMs);
    request.taker(result);
    if (this.#requests.size === 0) this.#whenIdle?.();
  }

  /** Publishes the results of a stream's frames; they are kept while the bus is away. */
  #takerOf({ tenant, name: query }: Query, stream: string): Taker {
    const publish = this.ctx.publisher(subjects.results, { tenant, query, stream }, { keep: true });
    const tell = (result: Result): void => {
      if (publish(result)) return;
      this.#init.log.error('a result is lost: the bus is away and no more are kept', { request: result.request });
    };
    return result => {
      try {
        tell(result);
      } catch (error) {
        if (!(error instanceof PayloadTooLargeError)) throw error;
        tell(withoutOutputs(result, error));
      }
    };
  }
}
