import { createActor, type Actor } from 'xstate';
import {
  epochChart,
  phaseOf,
  type EpochContext,
  type EpochEvent,
  type Phase,
  type PolicyEntry,
} from '../../allocator/index.ts';
import {
  type BatcherBeat,
  type Cancel,
  type Clock,
  type HostBeat,
  type Log,
  type OrderReply,
  type Plan,
  type RouterBeat,
} from '../../contracts/index.ts';
import { coalesce } from '../actor/index.ts';
import { Bars } from './bars.ts';
import type { Catalog } from './catalog.ts';
import { chartClock } from './chart-clock.ts';
import { Cluster, type Change } from './cluster.ts';
import type { AllocatorConfig } from './config.ts';
import { Drafting } from './drafting.ts';
import { Grays } from './grays.ts';
import { Handover } from './handover.ts';
import { Orders, type OrdersPorts } from './orders.ts';
import { Numbering } from './numbering.ts';
import { verdictOn, whyNotNow } from './planning.ts';
import { ProfileOrders } from './profiling.ts';
import { Notices } from './notices.ts';
import type { Shelf } from './shelf.ts';
import { loadsOf, releasesOf, withoutReleases, type Step } from './steps.ts';
import { isOutdone, lacking, toDrain, toFollow, toPrepare } from './waiting.ts';
import { Wishes } from './wishes.ts';

export interface DirectorPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly config: AllocatorConfig;
  readonly planning: PolicyEntry;
  readonly catalog: Catalog;
  readonly shelf: Shelf;
  after(delayMs: number, fn: () => void): Cancel;
  spawn(what: string, work: () => Promise<void>): void;
  send: OrdersPorts['send'];
  publish(plan: Plan): void;
  /** The phase or its state changed: worth a beat. */
  changed(): void;
  /** Another leader's plan was found: who leads? */
  doubt(): void;
  /** One above `epoch` that no other leader can name; undefined: {@link Director.claimed} will be called. */
  readonly nextEpoch: (epoch: number) => number | undefined;
}

/** Documents come in handfuls: one plan for all that come within so long. */
const APPLY_MS = 200;

/** Carries the epoch chart's effects out and tells it what happened. Stands by until it is told to lead. */
export class Director {
  readonly cluster = new Cluster();
  readonly profiles: ProfileOrders;
  readonly #ports: DirectorPorts;
  readonly #chart: Actor<typeof epochChart>;
  readonly #orders: Orders;
  readonly #drafting: Drafting;
  readonly #bars: Bars;
  readonly #grays: Grays;
  readonly #notices: Notices;
  readonly #wishes: Wishes;
  readonly #handover: Handover;
  /** What the latest plan was made without. */
  #avoided: readonly string[] = [];
  #nonce = '';
  #numbering: Numbering;
  /** The latest plan could not be given a number. */
  #lacksEpoch = false;
  #plannedAtMs = 0;
  #stored = false;
  /** The plan in force here was not stored, for another leader's was there. */
  #overtaken = false;
  #degraded = false;
  /** Of the latest draft: what goes on is not told again. */
  #toldNotes: ReadonlySet<string> = new Set();
  #applying = false;
  /** Loads and releases ordered by plans of this leader, first placements included. */
  #moved = 0;
  #waitingFor: readonly string[] = [];
  /** Beats come in handfuls: one look for all that come together. */
  readonly #stepSoon: () => void;

  constructor(ports: DirectorPorts) {
    this.#ports = ports;
    const { config, clock, catalog, log } = ports;
    this.#stepSoon = coalesce(clock, () => this.step());
    this.#numbering = this.#numberingOf('');
    this.#handover = new Handover({ clock, config, cluster: this.cluster });
    this.#wishes = new Wishes({ ...ports, leads: () => this.leads });
    this.#bars = new Bars(clock, config.barMs);
    this.#grays = new Grays(config.slowMs);
    this.#drafting = new Drafting({
      clock,
      config,
      planning: ports.planning,
      catalog,
      cluster: this.cluster,
      bars: this.#bars,
      profiling: model => this.profiles.about(model),
    });
    this.#orders = new Orders({
      clock,
      spawn: (what, work) => ports.spawn(what, work),
      send: (host, order) => ports.send(host, order),
      fence: () => this.#numbering.fence(),
      replied: (host, verb, reply) => this.#replied(host, verb, reply),
    });
    this.#notices = new Notices({ clock, cluster: this.cluster, orders: this.#orders });
    this.profiles = new ProfileOrders({
      clock,
      log,
      catalog,
      cluster: this.cluster,
      orders: this.#orders,
      profileMs: config.profileMs,
      grouped: () => this.#drafting.grouped,
      failed: model => this.replan(`${model} could not be profiled`, false),
    });
    this.#chart = createActor(
      epochChart.provide({
        actions: {
          makePlan: ({ context }) => this.#plan(context),
          orderPrepare: ({ context }) => this.#startPreparing(context),
          publishPlan: ({ context }) => this.#commit(context),
          orderRelease: () => this.#countReleases(),
          blame: ({ context }) => this.#blame(context),
          stepDown: () => {},
        },
      }),
      { input: config, clock: chartClock((delayMs, fn) => ports.after(delayMs, fn)) },
    );
    let phase: Phase = 'standby';
    this.#chart.subscribe({
      next: () => {
        if (this.phase === phase) return;
        phase = this.phase;
        ports.changed();
      },
      error: error => {
        throw error;
      },
    });
    this.#chart.start();
  }

  // ── What others may know ──────────────────────────────────────────────────────────────────────────────────────────

  get phase(): Phase {
    return phaseOf(this.#chart.getSnapshot());
  }
  get leads(): boolean {
    return this.phase !== 'standby';
  }
  get nonce(): string {
    return this.#nonce;
  }
  get inForce(): Plan | undefined {
    return this.#chart.getSnapshot().context.inForce;
  }
  /** What everybody should follow, as far as this leader knows. */
  get announced(): Plan | undefined {
    return this.leads && !this.#overtaken ? this.inForce : undefined;
  }
  get report() {
    const { epochs, detail, aborts, unexpected } = this.#chart.getSnapshot().context;
    const [modelsMoved, waitingFor, avoiding] = [this.#moved, this.#waitingFor, this.#avoided];
    return { epochs, detail, aborts, unexpected, modelsMoved, waitingFor, avoiding };
  }

  // ── What happens ──────────────────────────────────────────────────────────────────────────────────────────────────

  lead(nonce: string, inForce: Plan | undefined): void {
    this.#overtaken = false;
    this.#nonce = nonce;
    this.#numbering = this.#numberingOf(nonce);
    this.#lacksEpoch = false;
    this.#handover.begin();
    this.profiles.begin();
    this.#moved = 0;
    this.#stored = false;
    this.#drafting.plannedFor(inForce);
    // Whoever was serving gets the time that silence needs to mean loss: else a slow beat would cost it its models.
    const heard = inForce?.hosts.every(({ host }) => this.cluster.hosts.has(host)) ?? true;
    const { gatherMs, silenceMs } = this.#ports.config;
    this.#tell({ type: 'lead', inForce, gatherMs: heard ? gatherMs : Math.max(gatherMs, silenceMs) });
  }

  depose(reason: string): void {
    this.#tell({ type: 'depose', reason });
  }

  /** More epochs may be named than before. */
  claimed(): void {
    if (this.#lacksEpoch) this.replan('epochs were claimed', true);
  }

  hearHost(host: string, beat: HostBeat): void {
    this.#take(this.cluster.hearHost(host, beat, this.#now()));
    for (const { model, state } of beat.residents) if (state === 'resident') this.#bars.lift(host, model);
    if (beat.state === 'left') this.#wishes.hasLeft(host);
    this.#stepSoon();
  }

  hearRouter(router: string, beat: RouterBeat): void {
    this.cluster.hearRouter(router, beat, this.#now());
    this.#drafting.hear(router, beat);
    this.#stepSoon();
  }

  hearBatcher(batcher: string, beat: BatcherBeat): void {
    this.#take(this.cluster.hearBatcher(batcher, beat, this.#now()));
    const ailing = this.#grays.hear(beat, this.#now());
    if (ailing.length > 0) this.replan(`not well: ${ailing.join(', ')}`, true);
    this.#stepSoon();
  }

  /** Something that was applied, measured or wished for changed. */
  catalogChanged(what: string): void {
    if (!this.leads || this.#applying) return;
    this.#applying = true;
    this.#ports.after(APPLY_MS, () => {
      this.#applying = false;
      this.replan(what, true);
      this.profiles.step();
    });
  }

  replan(reason: string, urgent: boolean): void {
    if (this.leads) this.#tell({ type: 'replan', reason, urgent });
  }

  /** Now and then: silence, periods, rates, orders. */
  tick(): void {
    const { config } = this.#ports;
    for (const change of this.cluster.silent(this.#now(), config.silenceMs)) this.#take(change);
    this.#grays.tick(this.#now());
    if (!this.leads) return;
    this.#notices.step();
    const { context } = this.#chart.getSnapshot();
    this.#drafting.look();
    if (this.phase === 'observing' && !context.pending && context.epochs > 0) {
      const avoided = this.#grays.avoided(this.#now());
      const back = this.#avoided.filter(host => !avoided.includes(host));
      if (back.length > 0) this.replan(`${back.join(', ')} may be well again`, false);
      const agoMs = this.#now() - this.#plannedAtMs;
      const outgrown = this.#drafting.outgrown();
      if (outgrown) this.replan(outgrown, false);
      else if (agoMs >= config.epochMinMs && this.#isOutdone(context.inForce))
        this.replan('a plan that is not older is followed', true);
      else if (agoMs >= config.epochS * 1000) this.replan('the period is over', false);
    }
    this.step();
  }

  /** Looks at what the phase waits for, orders what is due, and says when all has happened. */
  step(): void {
    if (!this.leads) return;
    const { context } = this.#chart.getSnapshot();
    if (context.epochs > 0 && this.phase === 'observing') this.profiles.step();
    const before = this.#waitingFor.join();
    this.#waitingFor = this.#look();
    if (this.#waitingFor.join() !== before) this.#ports.changed();
  }

  /** The host's machine goes away: it leaves by then, whatever has been moved. */
  leaveWithin(host: string, withinMs: number): void {
    this.#notices.take(host, withinMs);
  }

  /** What the plan would be without a host: the queries that are served now and would not be. */
  without(host: string): string[] {
    const served = new Set(this.inForce?.queries.map(q => `${q.tenant}.${q.query}`));
    const { draft } = this.#drafting.draft(this.inForce, new Set([...this.#ports.catalog.draining, host]));
    return draft.refused.filter(r => served.has(`${r.tenant}.${r.query}`)).map(r => `${r.query} (${r.reason})`);
  }

  // ── Effects of the chart ────────────────────────────────────────────────────────────────────────────────────────────

  // Inside an effect the chart's own snapshot is still the one before: they take the context that they are given.

  #plan({ inForce, epochs, reason }: EpochContext): void {
    const { catalog, log } = this.#ports;
    this.#plannedAtMs = this.#now();
    const whyNot = whyNotNow({ catalogReady: catalog.ready, batchers: this.cluster.batchers.size, inForce });
    if (whyNot !== undefined) return this.#tell({ type: 'keep', detail: whyNot });
    this.#avoided = this.#grays.avoided(this.#now()).filter(host => this.cluster.ready(host));
    const planned = this.#drafting.draftAround(inForce, catalog.draining, this.#avoided);
    if (!planned) return this.#tell({ type: 'keep', detail: 'the policy failed' });
    const { draft, notes } = planned;
    this.#degraded = notes.length > 0 || draft.refused.length > 0;
    for (const note of notes)
      if (!this.#toldNotes.has(note)) log.warn('the plan is not as good as it should be', { note });
    this.#toldNotes = new Set(notes);
    const verdict = verdictOn(draft, {
      inForce,
      holdings: this.cluster.holdings(),
      epochs,
      outdone: this.#isOutdone(inForce),
      inPlace: inForce ? this.#inPlace(inForce) : false,
      reason,
      beside: () => inForce && this.#drafting.beside(inForce, new Set([...catalog.draining, ...this.#avoided])),
    });
    if (verdict.is === 'block') {
      log.error('the plan can not be reached safely', { detail: verdict.detail });
      return this.#tell({ type: 'block', detail: verdict.detail });
    }
    this.#drafting.plannedFor(draft);
    if (verdict.is === 'keep') return this.#tell({ type: 'keep', detail: verdict.detail });
    const epoch = this.#numbering.next();
    this.#lacksEpoch = epoch === undefined;
    if (epoch === undefined) return this.#tell({ type: 'keep', detail: 'waiting for storage: epochs must be claimed' });
    const plan: Plan = { v: 1, epoch, nonce: this.#nonce, ...verdict.draft };
    this.#tell({ type: 'draft', plan, partial: verdict.partial });
  }

  #startPreparing({ candidate, reason }: EpochContext): void {
    this.#moved += loadsOf(candidate!, this.cluster);
    this.#ports.log.info('preparing', { epoch: candidate!.epoch, reason });
    this.#stepSoon();
  }

  #commit({ inForce }: EpochContext): void {
    const plan = inForce!;
    this.#stored = false;
    this.#overtaken = false;
    this.#ports.spawn(`commit of epoch ${plan.epoch}`, async () => {
      const outcome = await this.#ports.shelf.write(plan);
      if (this.inForce !== plan || !this.leads) return;
      if (outcome === 'outdated') {
        // Another leader's plan is stored: this one must not come into force beside it, whoever leads.
        this.#overtaken = true;
        this.#ports.doubt();
        this.replan('another plan was in force already', true);
        return;
      }
      this.#ports.publish(plan);
      this.#stored = true;
      this.#ports.log.info('in force', { epoch: plan.epoch, hosts: plan.hosts.length, refused: plan.refused.length });
      this.step();
    });
  }

  #countReleases(): void {
    this.#moved += releasesOf(this.#drainSteps(), this.cluster);
    this.#stepSoon();
  }

  /** Who didn't get ready in time is planned without for a while. */
  #blame({ candidate, inForce }: EpochContext): void {
    if (!candidate) return;
    for (const { host, queued } of this.#permitted(toPrepare(candidate, inForce, this.cluster))) {
      if (queued) continue;
      const planned = candidate.hosts.find(h => h.host === host)!;
      for (const { model } of lacking(planned, this.cluster.ready(host))) {
        this.#bars.add(host, model, `it was not loaded within ${this.#ports.config.prepareMs} ms`);
      }
    }
  }

  // ── Looking and ordering ──────────────────────────────────────────────────────────────────────────────────────────

  /** @returns what is waited for */
  #look(): readonly string[] {
    const { candidate, inForce, pending } = this.#chart.getSnapshot().context;
    switch (this.phase) {
      case 'preparing':
        return this.#carryOut([...toPrepare(candidate!, inForce, this.cluster), ...this.#handover.toObey(candidate!)]);
      case 'committing': {
        const left = toFollow(inForce!, this.cluster);
        if (this.#stored && left.length === 0) this.#tell({ type: 'complete' });
        return left;
      }
      case 'draining':
        return this.#carryOut(this.#drainSteps());
      case 'observing': {
        if (!pending && this.#mayRelease() && this.#drainSteps().some(step => step.order)) this.#tell({ type: 'tidy' });
        return [];
      }
      default:
        return [];
    }
  }

  #drainSteps(): Step[] {
    const { inForce, epochs } = this.#chart.getSnapshot().context;
    if (!inForce || epochs === 0) return [];
    return toDrain(inForce, this.cluster, this.#ports.catalog.draining, this.profiles.job);
  }

  #carryOut(steps: readonly Step[]): readonly string[] {
    for (const { host, order, failed } of this.#permitted(steps)) {
      if (failed) {
        for (const { model, detail } of failed) this.#bars.add(host, model, detail);
        this.#tell({ type: 'refuse', detail: `${host}: ${failed[0]!.model}: ${failed[0]!.detail}` });
        this.replan(`${host} could not load ${failed[0]!.model}`, true);
        return [];
      }
      if (order) this.#orders.give(host, order);
    }
    if (steps.length === 0) this.#tell({ type: 'complete' });
    return steps.map(step => step.waitingFor);
  }

  #replied(
    host: string,
    verb: string,
    reply: OrderReply | { readonly accepted: 'unknown'; readonly detail: string },
  ): void {
    if (verb === 'profile') this.profiles.replied(host, reply);
    if (reply.accepted === true && verb === 'leave') this.#notices.given(host);
    if (reply.accepted === true || !this.leads) return;
    this.#ports.log.warn('an order was not obeyed', { host, verb, detail: reply.detail });
    // Not understood by anybody, or busy: it is given again until the phase's time is over.
    if (reply.accepted === 'unknown' || reply.reason === 'busy') return;
    if (reply.reason === 'fenced') {
      this.#ports.doubt();
      // A host that obeyed a plan which nobody else heard of: the next one goes above it.
      this.#numbering.next();
    }
    if (verb !== 'prepare' || this.phase !== 'preparing') return;
    const planned = this.#chart.getSnapshot().context.candidate?.hosts.find(h => h.host === host);
    this.#tell({ type: 'refuse', detail: `${host}: ${reply.reason}: ${reply.detail}` });
    if (!planned || reply.reason === 'fenced') return;
    // Planned without what it refused, at once: that ends, for each attempt bars at least one more.
    for (const { model } of lacking(planned, this.cluster.ready(host))) this.#bars.add(host, model, reply.detail);
    this.replan(`${host} refused`, true);
  }

  // ── Small things ──────────────────────────────────────────────────────────────────────────────────────────────────

  #take(change: Change): void {
    if (!change) return;
    const { what, who, role } = change;
    if (what === 'gone') {
      if (role === 'router') this.#drafting.rates.forget(who);
      if (role === 'host') for (const known of [this.#orders, this.#grays]) known.forget(who);
      if (role === 'host' && !this.cluster.hosts.has(who)) this.#wishes.hasLeft(who);
      if (this.leads && this.#matters(who)) this.#tell({ type: 'lose', who });
      return;
    }
    const { context } = this.#chart.getSnapshot();
    const waiting = context.epochs === 0 || this.#degraded || (context.inForce?.refused.length ?? 0) > 0;
    if (role === 'host') this.replan(`${who} arrived`, waiting);
    if (role === 'batcher' && waiting) this.replan(`${who} arrived`, true);
  }

  #matters(who: string): boolean {
    const { candidate, inForce } = this.#chart.getSnapshot().context;
    return [candidate, inForce].some(
      plan => plan?.hosts.some(h => h.host === who) || plan?.pools.some(p => p.batcher === who),
    );
  }

  #permitted(steps: readonly Step[]): readonly Step[] {
    return this.#mayRelease() ? steps : withoutReleases(steps);
  }

  #mayRelease(): boolean {
    const { inForce, epochs } = this.#chart.getSnapshot().context;
    return epochs > 0 && this.#stored && !this.#overtaken && this.#handover.mayRelease(inForce!);
  }

  /** Whether every host holds what the plan gives it. */
  #inPlace(plan: Plan): boolean {
    return plan.hosts.every(planned => lacking(planned, this.cluster.ready(planned.host)).length === 0);
  }

  #isOutdone(inForce: Plan | undefined): boolean {
    return this.#overtaken || (inForce !== undefined && isOutdone(inForce, this.cluster));
  }

  #numberingOf(nonce: string): Numbering {
    const { nextEpoch } = this.#ports;
    return new Numbering(nonce, { cluster: this.cluster, inForce: () => this.inForce, nextEpoch });
  }

  #tell(event: EpochEvent): void {
    this.#chart.send(event);
  }

  #now(): number {
    return this.#ports.clock.nowMs();
  }
}
