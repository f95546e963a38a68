import {
  describeError,
  GanglionError,
  InputError,
  PayloadTooLargeError,
  type Frame,
  type Random,
  type StreamDocument,
} from '../../contracts/index.ts';
import { backoffMs } from './backoff.ts';
import { FrameMaker } from './frame-maker.ts';
import { dueMsOf, frameTimeOf, gridFrom, nextSeq, type Grid } from './instants.ts';
import type { Pixels } from './pixels.ts';
import { hash32 } from './sharing.ts';
import type { PictureSource, Shot, Timers } from './sources/index.ts';
import { StreamStatus, type StatusPorts } from './stream-status.ts';

export interface StreamPorts extends StatusPorts {
  readonly timers: Timers;
  readonly random: Random;
  readonly pixels: Pixels;
  /** @throws SourceError, ConfigError */
  open(): Promise<PictureSource>;
  /** Whether there is any use in making a frame now. */
  canPublish(): boolean;
  /** False when the frame is lost. `wanted`: whether the stream is still read. @throws PayloadTooLargeError */
  publish(frame: Frame, wanted: () => boolean): boolean | Promise<boolean>;
  maxPayloadBytes(): number;
}

/** A source that gave pictures for so long is taken for well again: the next wait before reopening is a short one. */
const WELL_MS = 5000;
const DEAD_AFTER_MS = 10_000;

/** Reads one stream from opening its source to its end: samples, publishes, reopens what broke. */
export class StreamReader {
  readonly tenant: string;
  readonly name: string;
  readonly status: StreamStatus;
  readonly #document: StreamDocument;
  readonly #ports: StreamPorts;
  readonly #maker: FrameMaker;
  readonly #deadAfterMs: number;
  #lastSeq: number | undefined;
  #source: PictureSource | undefined;
  /** When the source that is open now gave its first picture. */
  #firstMs: number | undefined;
  #stopped = false;
  /** The source was closed because it was silent. */
  #interrupted = false;
  #done: Promise<void> = Promise.resolve();
  #cancelDead: () => void = () => {};
  #wake: () => void = () => {};

  constructor(stream: { tenant: string; name: string; document: StreamDocument }, ports: StreamPorts) {
    const { tenant, name, document } = stream;
    this.tenant = tenant;
    this.name = name;
    this.status = new StreamStatus(tenant, name, ports);
    this.#document = document;
    this.#ports = ports;
    this.#maker = new FrameMaker(document, ports.pixels);
    // At a low rate silence between two instants is no sign of death.
    this.#deadAfterMs = Math.max(document.deadAfterMs ?? DEAD_AFTER_MS, 3000 / document.rateHz);
  }

  report() {
    return this.status.report(this.#source?.missed ?? 0);
  }

  /** Runs until the source has ended or {@link stop} is called. Once only. */
  run(): Promise<void> {
    this.#done = this.#run();
    return this.#done;
  }

  /** Ends at once where it waits, else after the picture at hand; resolves when the source is closed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelDead();
    this.#wake();
    await this.#source?.close();
    await this.#done;
  }

  async #run(): Promise<void> {
    let attempt = 0;
    this.#watchForSilence();
    while (!this.#stopped) {
      const outcome = await this.#readSource();
      if (this.#stopped) break;
      if (outcome === 'ended') {
        this.status.enter('ended', 'the source came to its end');
        break;
      }
      if (this.#firstMs !== undefined && this.#ports.timers.nowMs() - this.#firstMs >= WELL_MS) attempt = 0;
      await this.#pause(backoffMs(attempt++, this.#ports.random));
      if (!this.#stopped) this.status.counts.reopened++;
    }
    this.#cancelDead();
  }

  /** Opens the source and reads it until it ends, fails, falls silent or is to be stopped. */
  async #readSource(): Promise<'ended' | 'failed'> {
    this.#firstMs = undefined;
    this.#interrupted = false;
    try {
      this.#source = await this.#ports.open();
      if (!this.#stopped) await this.#sampleAll(this.#source);
      return this.#interrupted ? 'failed' : 'ended';
    } catch (error) {
      if (!this.#stopped && !this.#interrupted) this.#broke(error);
      return 'failed';
    } finally {
      await this.#closeSource();
    }
  }

  async #sampleAll(source: PictureSource): Promise<void> {
    const { timers } = this.#ports;
    const grid = this.#grid();
    const isOurs = source.pace === 'sampler';
    for (let seq = grid.firstSeq; !this.#stopped; ) {
      if (isOurs) await this.#pause(dueMsOf(grid, seq) - timers.nowMs());
      if (this.#stopped || !(await this.#sample(source, seq))) return;
      const next = isOurs ? nextSeq(grid, seq, timers.nowMs()) : seq + 1;
      this.status.counts.missed += next - seq - 1;
      seq = next;
    }
  }

  #grid(): Grid {
    const { timers } = this.#ports;
    return gridFrom({
      rateHz: this.#document.rateHz,
      phase: hash32(`${this.tenant}.${this.name}`) / 2 ** 32,
      nowMs: timers.nowMs(),
      unixMs: timers.unixMs(),
      afterSeq: this.#lastSeq,
    });
  }

  /**
   * One picture. False at the end of the source. @throws what the source throws, but for broken pictures: these are
   * counted
   */
  async #sample(source: PictureSource, seq: number): Promise<boolean> {
    const { counts } = this.status;
    try {
      const shot = await source.next({ seq, timeMs: frameTimeOf(this.#document, seq) });
      if (!shot) return false;
      if (this.#stopped) return true;
      this.#lastSeq = seq;
      counts.sampled++;
      await this.#publish(shot, seq);
    } catch (error) {
      if (error instanceof PayloadTooLargeError) {
        counts.tooLarge++;
        this.status.warn('a frame was not published', error.message, 'size');
        this.#isAlive();
      } else if (error instanceof InputError) {
        counts.broken++;
        this.status.warn('a picture was left out', error.message);
        this.#watchForSilence(); // not well, but not silent either
      } else throw error;
    }
    return true;
  }

  async #publish(shot: Shot, seq: number): Promise<void> {
    const { timers } = this.#ports;
    const { counts } = this.status;
    if (!this.#ports.canPublish()) {
      counts.unsent++;
      this.#isAlive();
      return;
    }
    const made = await this.#maker.make(shot, {
      nowMs: timers.nowMs(),
      maxPayloadBytes: this.#ports.maxPayloadBytes(),
    });
    this.#isAlive();
    if (!made) {
      counts.skipped++;
      return;
    }
    if (made.scale < 1) {
      const remedy = "set the source's width or a lower jpegQuality, or raise the server's max_payload";
      this.status.warn(
        'frames are made smaller to fit max_payload',
        `sides × ${made.scale.toFixed(2)}; ${remedy}`,
        'size',
      );
    }
    const ageMs = Math.max(0, timers.nowMs() - shot.takenMs) + (shot.ageMs ?? 0);
    const picture = { encoding: 'jpeg', data: made.jpeg } as const;
    const frame = { v: 1, seq, picture, ageMs, ...(shot.meta ? { meta: shot.meta } : {}) } as const;
    this.#cancelDead(); // that storage is away says nothing about the source
    const isSent = await this.#ports.publish(frame, () => !this.#stopped);
    if (!this.#stopped) this.#watchForSilence();
    if (isSent) {
      counts.published++;
      made.wasSent(timers.nowMs());
    } else counts.unsent++;
  }

  #isAlive(): void {
    this.#firstMs ??= this.#ports.timers.nowMs();
    this.#watchForSilence();
    if (this.status.state !== 'live') this.status.enter('live', '');
  }

  /** A source that is silent is closed, which makes the reading loop open it anew. */
  #watchForSilence(): void {
    this.#cancelDead();
    this.#cancelDead = this.#ports.timers.after(this.#deadAfterMs, () => {
      const why = this.status.detail || `no picture for ${Math.round(this.#deadAfterMs)} ms`;
      if (this.status.state !== 'dead') this.status.enter('dead', why);
      this.#interrupted = true;
      void this.#source?.close();
      this.#watchForSilence();
    });
  }

  #broke(error: unknown): void {
    const detail = describeError(error);
    if (!(error instanceof GanglionError))
      this.#ports.log.error('reading a source failed unexpectedly', {
        error: error instanceof Error ? error.stack : detail,
      });
    // It never was well since it was opened: no reason to hope for a while first.
    if (this.#firstMs === undefined && this.status.state !== 'dead') this.status.enter('dead', detail);
    this.status.warn('the source failed and is opened again', detail);
  }

  async #closeSource(): Promise<void> {
    const source = this.#source;
    if (!source) return;
    await source.close();
    this.status.counts.missed += source.missed;
    this.#source = undefined;
  }

  #pause(ms: number): Promise<void> {
    if (ms <= 0) return Promise.resolve();
    return new Promise(resolve => {
      const cancel = this.#ports.timers.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
