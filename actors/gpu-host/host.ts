import { createActor, type ActorRefFrom } from 'xstate';
import {
  describeError,
  DeviceError,
  PayloadTooLargeError,
  randomId,
  subjects,
  type Answer,
  type Answers,
  type HostBeat,
  type HOST_STATES,
  type Order,
  type OrderReply,
  type Outline,
  type Payloads,
  type Progress,
} from '../../contracts/index.ts';
import type { Device } from '../../gpu-host/index.ts';
import { coalesce, publishers, type ActorContext } from '../actor/index.ts';
import { withinBytes } from './answers.ts';
import { filesOf } from './catalog.ts';
import { chartClock } from './chart-clock.ts';
import type { HostConfig } from './config.ts';
import { hostChart, type HostEffects } from './host-chart.ts';
import { account } from './memory.ts';
import { Orders } from './orders.ts';
import { Profiling } from './profiling.ts';
import { Residents } from './residents.ts';
import type { Refusal } from './desk.ts';
import { Serving } from './serving.ts';

/** What runs when the machine is about to go away has so long to finish. */
const FINISH_MS_MAX = 2000;

export type HostContext = ActorContext<HostConfig, unknown>;

/** A host at work: one device, the models on it, the batches for them; says how it is. */
export class Host {
  readonly incarnation: string;
  /** Messages lost because the bus was away. */
  unsent = 0;
  readonly serving: Serving;
  readonly residents: Residents;
  readonly #ctx: HostContext;
  readonly #device: Device;
  readonly #orders: Orders;
  readonly #profiling: Profiling;
  readonly #chart: ActorRefFrom<typeof hostChart>;
  /** A change is told at once; all changes of one turn in one beat. */
  readonly #changed: () => void;
  readonly #left: Promise<void>;
  readonly #answersTo: (router: string) => (message: Answers) => boolean;
  readonly #progressTo: (batcher: string) => (message: Progress) => boolean;
  #lastWords = false;

  constructor(ctx: HostContext, device: Device) {
    const { config, clock, log } = ctx;
    this.#ctx = ctx;
    this.#device = device;
    this.incarnation = randomId(ctx.random);
    this.#changed = coalesce(clock, () => this.beat());
    this.#answersTo = publishers(ctx, subjects.answers, 'router');
    this.#progressTo = publishers(ctx, subjects.progress, 'batcher');
    this.residents = new Residents({
      device,
      log,
      clock,
      filesOf: stored => filesOf(ctx, stored),
      usesOf: part =>
        this.serving.batchesOf(part) + this.residents.suffixesOf(part) + (this.#profiling.measures(part) ? 1 : 0),
      changed: this.#changed,
    });
    this.#profiling = new Profiling({
      device,
      clock,
      log,
      storage: ctx,
      residents: this.residents,
      seconds: config.profileSeconds,
      queueMax: config.profilesMax,
      spawn: (what, work) => ctx.spawn(what, work),
      changed: this.#changed,
    });
    this.#orders = new Orders({
      device,
      storage: ctx,
      residents: this.residents,
      profiling: this.#profiling,
      residentsMax: config.residentsMax,
      leaving: () => this.state !== 'ready',
      leave: (reason, withinMs) => this.#leaveWithin(reason, withinMs),
      changed: this.#changed,
    });
    this.serving = this.#openServing();
    const { chart, left } = this.#openChart();
    this.#chart = chart;
    this.#left = left;
    void device.lost.then(error => this.#chart.send({ type: 'lose', reason: describeError(error) }));
  }

  get state(): (typeof HOST_STATES)[number] {
    return this.#chart.getSnapshot().value;
  }

  obey(order: Order): Promise<OrderReply> {
    return this.#orders.obey(order);
  }

  outline(outline: Outline): void {
    this.serving.outline(outline);
  }

  payloads(payloads: Payloads, bytes: number): void {
    this.serving.payloads(payloads, bytes);
  }

  /** Takes nothing new, finishes what was granted, then ends the actor. */
  leave(reason: string): void {
    this.#chart.send({ type: 'leave', reason });
  }

  /** Serves on while there is time; what runs when it stops has a quarter of the time to finish, at most {@link FINISH_MS_MAX}. */
  #leaveWithin(reason: string, withinMs: number): void {
    const serveMs = withinMs - Math.min(FINISH_MS_MAX, withinMs / 4);
    if (serveMs <= 0) return this.leave(reason);
    this.#ctx.log.info('leaving soon', { inMs: serveMs, reason });
    this.#ctx.after(serveMs, () => this.leave(reason));
  }

  /** Leaves, and gives the device back; resolves when that is done. */
  async close(): Promise<void> {
    this.leave('asked to stop');
    await this.#left;
    if (this.state === 'failed') return; // a broken device may never answer
    this.residents.stop();
    await this.#device.close();
    this.#chart.stop();
  }

  /** Says how the host is; that it left or failed, it says once. */
  beat(): void {
    if (this.#lastWords) return;
    this.#lastWords = this.state === 'left' || this.state === 'failed';
    const { epoch, nonce } = this.#orders.fence;
    const { persistentBytes, ephemeralBytes } = account(this.residents.claims());
    const { batches, invocations, refused, dropped, failed, busyMs } = this.serving.counts;
    const beat: HostBeat = {
      v: 1,
      state: this.state,
      incarnation: this.incarnation,
      device: this.#device.report,
      epoch,
      nonce,
      residents: this.residents.report(),
      persistentBytes,
      ephemeralBytes,
      freeInMs: this.serving.freeInMs(),
      backlog: this.serving.backlog,
      batches,
      invocations,
      refused,
      dropped,
      failed,
      busyMs,
      ...this.#ctx.vitals(),
    };
    this.#sent(this.#ctx.publish(subjects.hostBeats, { host: this.#ctx.id }, beat));
  }

  #openServing(): Serving {
    const { config, clock } = this.#ctx;
    const host = this.#ctx.id;
    const { emulated } = this.#device.report;
    return new Serving(
      {
        batchesMax: config.batchesMax,
        heldBytesMax: config.heldBytesMax,
        early: { holdMs: config.earlyHoldMs, bytesMax: config.earlyBytesMax },
        handOverMs: config.handOverMs,
      },
      {
        nowMs: () => clock.nowMs(),
        alarm: fn => this.#ctx.alarm(fn),
        usable: model => this.residents.usable(model),
        refusal: () => REFUSAL_OF[this.state],
        name: { host, emulated },
        answer: (router, message) => this.#answer(router, message),
        progress: (batcher, message) => this.#sent(this.#progressTo(batcher)(message)),
        ended: batch => {
          for (const model of batch.models) this.residents.idle(model);
          if (this.state === 'leaving' && this.serving.backlog === 0) this.#chart.send({ type: 'finish' });
        },
        deviceLost: error => this.#chart.send({ type: 'lose', reason: describeError(error) }),
      },
    );
  }

  #openChart(): { chart: ActorRefFrom<typeof hostChart>; left: Promise<void> } {
    let resolveLeft = (): void => {};
    const left = new Promise<void>(resolve => (resolveLeft = resolve));
    const effects: HostEffects = {
      isIdle: () => this.serving.backlog === 0,
      refuseRest: () => this.serving.refuseAll('leaving'),
      depart: reason => this.#end(() => this.#ctx.leave(reason), resolveLeft),
      crash: reason => {
        this.serving.refuseAll('device-lost');
        this.#end(() => this.#ctx.crash(new DeviceError(reason)), resolveLeft);
      },
    };
    const chart = createActor(hostChart, {
      input: { effects, leaveMsMax: this.#ctx.config.leaveMsMax },
      clock: chartClock((delayMs, fn) => this.#ctx.after(delayMs, fn)),
    });
    let told = '';
    chart.subscribe(({ value }) => {
      if (value !== told) this.#changed();
      told = value;
    });
    chart.start();
    chart.send({ type: 'open' });
    return { chart, left };
  }

  /** The beat that says so goes out before the actor ends. */
  #end(endActor: () => void, resolveLeft: () => void): void {
    this.#profiling.stop();
    this.#changed();
    queueMicrotask(() => {
      endActor();
      resolveLeft();
    });
  }

  /** In several messages, where the bus does not carry one. */
  #answer(router: string, message: Answers): void {
    try {
      this.#sent(this.#answersTo(router)(message));
    } catch (error) {
      if (!(error instanceof PayloadTooLargeError)) return this.#answerFailed(router, message, error);
      for (const part of withinBytes(message, this.#ctx.bus.maxPayloadBytes)) {
        try {
          this.#sent(this.#answersTo(router)(part));
        } catch (failure) {
          this.#answerFailed(router, part, failure);
        }
      }
    }
  }

  /** What can't be written as a message (a module may return anything) fails, saying so. */
  #answerFailed(router: string, message: Answers, error: unknown): void {
    const detail = `the output can't be sent: ${describeError(error)}`.slice(0, 1024);
    this.#ctx.log.error('answers were not sent', { batch: message.batch, error: detail });
    const answers = message.answers.map((): Answer => ({ is: 'failed', reason: 'model', detail }));
    this.#sent(this.#answersTo(router)({ ...message, answers }));
  }

  #sent(sent: boolean): void {
    if (!sent) this.unsent++;
  }
}

/** What a host that isn't ready says to batches. */
const REFUSAL_OF: { readonly [state: string]: Refusal | undefined } = {
  leaving: 'leaving',
  left: 'leaving',
  failed: 'device-lost',
};
