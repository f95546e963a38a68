import {
  describeError,
  InputError,
  PayloadTooLargeError,
  type Frame,
  type Log,
  type Random,
  type SamplerBeat,
  type StreamDocument,
  type StreamNews,
} from '../../contracts/index.ts';
import { backoffMs } from './backoff.ts';
import { ChangeGate } from './change.ts';
import { fitJpeg } from './fit.ts';
import { dueMsOf, frameTimeOf, gridFrom, nextSeq, type Grid } from './instants.ts';
import type { Pixels } from './pixels.ts';
import { hash32 } from './sharing.ts';
import { JPEG_QUALITY, type PictureSource, type Shot, type Timers } from './sources/index.ts';

export type StreamState = SamplerBeat['streams'][number]['state'];

export interface StreamPorts {
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly pixels: Pixels;
  /** @throws SourceError, ConfigError */
  open(): Promise<PictureSource>;
  /** Whether frames can be published now. */
  isConnected(): boolean;
  /** False when the frame is lost. @throws PayloadTooLargeError */
  publish(frame: Frame): boolean;
  maxPayloadBytes(): number;
  tell(news: StreamNews): void;
  /** The state changed: worth a beat. */
  changed(): void;
}

/** A source that gave pictures for so long is taken for well again: the next wait before reopening is a short one. */
const WELL_MS = 5000;
const DEAD_AFTER_MS = 10_000;
const DETAIL_CHARS_MAX = 1024;
const WARNINGS_MAX = 32;

/** Reads one stream from opening its source to its end: samples, skips, publishes, reopens what broke. */
export class StreamReader {
  readonly tenant: string;
  readonly name: string;
  readonly document: StreamDocument;
  readonly counts = { sampled: 0, skipped: 0, published: 0, unsent: 0, reopened: 0, missed: 0, broken: 0, tooLarge: 0 };
  #state: StreamState = 'opening';
  #detail = '';
  readonly #ports: StreamPorts;
  readonly #gate: ChangeGate | undefined;
  readonly #deadAfterMs: number;
  readonly #warned = new Set<string>();
  #lastSeq: number | undefined;
  #source: PictureSource | undefined;
  #missedBefore = 0;
  #gavePictures = false;
  #stopped = false;
  #interrupted = false;
  #done: Promise<void> = Promise.resolve();
  #cancelDead: () => void = () => {};
  #wake: () => void = () => {};

  constructor(stream: { tenant: string; name: string; document: StreamDocument }, ports: StreamPorts) {
    const { document } = stream;
    this.tenant = stream.tenant;
    this.name = stream.name;
    this.document = document;
    this.#ports = ports;
    this.#gate = document.skipUnchanged && new ChangeGate(document.skipUnchanged);
    // At a low rate silence between two instants is no sign of death.
    this.#deadAfterMs = Math.max(document.deadAfterMs ?? DEAD_AFTER_MS, 3000 / document.rateHz);
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Its entry in the beat. */
  report(): SamplerBeat['streams'][number] {
    const missed = this.#missedBefore + (this.#source?.missed ?? 0) + this.counts.missed;
    return {
      tenant: this.tenant,
      stream: this.name,
      state: this.#state,
      ...this.counts,
      missed,
      ...(this.#detail ? { detail: this.#detail } : {}),
    };
  }

  /** Runs until the source has ended or {@link stop} is called. Once only. */
  run(): Promise<void> {
    this.#done = this.#read();
    return this.#done;
  }

  async #read(): Promise<void> {
    let attempt = 0;
    this.#watchForDeath();
    while (!this.#stopped) {
      const { outcome, liveMs } = await this.#readOnce();
      if (this.#stopped) break;
      if (outcome === 'ended') {
        this.#enter('ended', 'the source came to its end');
        break;
      }
      if (liveMs >= WELL_MS) attempt = 0;
      await this.#pause(backoffMs(attempt++, this.#ports.random));
      if (!this.#stopped) this.counts.reopened++;
    }
    this.#cancelDead();
  }

  /** Ends at once where it waits, else after the picture at hand; resolves when the source is closed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelDead();
    this.#wake();
    await this.#source?.close();
    await this.#done;
  }

  /** Opens the source and reads it until it ends or fails. */
  async #readOnce(): Promise<{ outcome: 'ended' | 'failed'; liveMs: number }> {
    const { timers } = this.#ports;
    let firstMs: number | undefined;
    this.#gavePictures = false;
    this.#interrupted = false;
    try {
      this.#source = await this.#ports.open();
      if (this.#stopped) return { outcome: 'ended', liveMs: 0 };
      const grid = this.#grid();
      for (let seq = grid.firstSeq; !this.#stopped; ) {
        if (this.#source.pace === 'sampler') await this.#pause(dueMsOf(grid, seq) - timers.nowMs());
        if (this.#stopped) break;
        const more = await this.#sample(this.#source, seq);
        if (!more) return { outcome: 'ended', liveMs: 0 };
        if (this.#gavePictures) firstMs ??= timers.nowMs();
        const next = this.#source.pace === 'sampler' ? nextSeq(grid, seq, timers.nowMs()) : seq + 1;
        this.counts.missed += next - seq - 1;
        seq = next;
      }
      return { outcome: 'ended', liveMs: 0 };
    } catch (error) {
      if (!this.#stopped) this.#broke(error);
      return { outcome: 'failed', liveMs: firstMs === undefined ? 0 : timers.nowMs() - firstMs };
    } finally {
      await this.#close();
    }
  }

  #grid(): Grid {
    const { timers } = this.#ports;
    return gridFrom({
      rateHz: this.document.rateHz,
      phase: hash32(`${this.tenant}.${this.name}`) / 2 ** 32,
      nowMs: timers.nowMs(),
      unixMs: timers.unixMs(),
      afterSeq: this.#lastSeq,
    });
  }

  /** One picture. False at the end of the source. @throws what the source throws, but for broken pictures: these are counted */
  async #sample(source: PictureSource, seq: number): Promise<boolean> {
    try {
      const shot = await source.next({ seq, timeMs: frameTimeOf(this.document, seq) });
      if (!shot) {
        if (this.#interrupted) throw new InterruptedError();
        return false;
      }
      if (this.#stopped) return true;
      this.#lastSeq = seq;
      await this.#handle(shot, seq);
    } catch (error) {
      if (error instanceof PayloadTooLargeError) this.#tooLarge(error);
      else if (error instanceof InputError) {
        this.counts.broken++;
        this.#warn('a picture was left out', error.message);
      } else throw error;
    }
    return true;
  }

  async #handle(shot: Shot, seq: number): Promise<void> {
    const { pixels, timers } = this.#ports;
    this.counts.sampled++;
    if (!this.#ports.isConnected()) {
      this.counts.unsent++;
      this.#alive();
      return;
    }
    const thumbnail = this.#gate || !shot.sound ? await this.#thumbnailOf(shot) : undefined;
    this.#alive();
    if (this.#gate && thumbnail && !this.#gate.isWorthSending(thumbnail, timers.nowMs())) {
      this.counts.skipped++;
      return;
    }
    const encoded =
      shot.picture.encoding === 'jpeg'
        ? shot.picture.data
        : await pixels.encodeJpeg(shot.picture, { quality: this.document.jpegQuality ?? JPEG_QUALITY });
    if (this.#send(await this.#fit(encoded, shot), shot, seq)) {
      this.counts.published++;
      if (thumbnail) this.#gate?.wasSent(thumbnail, timers.nowMs());
    } else this.counts.unsent++;
  }

  async #thumbnailOf(shot: Shot): Promise<Uint8Array> {
    try {
      return await this.#ports.pixels.thumbnail(shot.picture);
    } catch (error) {
      throw new InputError(`${shot.name ?? this.document.source.kind}: ${describeError(error)}`, { cause: error });
    }
  }

  async #fit(encoded: Uint8Array, shot: Shot): Promise<Uint8Array> {
    const limits = {
      where: `frames of stream ${this.tenant}/${this.name}`,
      maxPayloadBytes: this.#ports.maxPayloadBytes(),
      envelopeBytes: shot.meta ? 4 * JSON.stringify(shot.meta).length : 0,
    };
    const { jpeg, scale } = await fitJpeg(encoded, limits, this.#ports.pixels);
    if (scale < 1) {
      this.#warn(
        'frames are made smaller to fit max_payload',
        `sides × ${scale.toFixed(2)}; set the source's width or a lower jpegQuality, or raise the server's max_payload`,
      );
    }
    return jpeg;
  }

  #send(jpeg: Uint8Array, shot: Shot, seq: number): boolean {
    const ageMs = Math.max(0, this.#ports.timers.nowMs() - shot.takenMs) + (shot.ageMs ?? 0);
    return this.#ports.publish({
      v: 1,
      seq,
      picture: { encoding: 'jpeg', data: jpeg },
      ageMs,
      ...(shot.meta ? { meta: shot.meta } : {}),
    });
  }

  #tooLarge(error: PayloadTooLargeError): void {
    this.counts.tooLarge++;
    this.#warn('a frame was not published', error.message);
  }

  #alive(): void {
    this.#gavePictures = true;
    this.#watchForDeath();
    if (this.#state !== 'live') this.#enter('live', '');
  }

  #watchForDeath(): void {
    this.#cancelDead();
    this.#cancelDead = this.#ports.timers.after(this.#deadAfterMs, () => {
      this.#die(this.#detail || `no picture for ${Math.round(this.#deadAfterMs)} ms`);
      this.#watchForDeath();
    });
  }

  /** The source is silent: it is closed, which makes the reading loop reopen it. */
  #die(why: string): void {
    if (this.#stopped || this.#state === 'ended') return;
    if (this.#state !== 'dead') this.#enter('dead', why);
    this.#interrupted = true;
    void this.#source?.close();
  }

  #broke(error: unknown): void {
    if (error instanceof InterruptedError) return;
    const detail = describeError(error);
    this.#warn('the source failed and is opened again', detail);
    this.#detail = detail.slice(0, DETAIL_CHARS_MAX);
    // It never was well since it was opened: no reason to hope for a while first.
    if (!this.#gavePictures && this.#state !== 'dead') this.#enter('dead', detail);
    else this.#ports.changed();
  }

  #enter(state: StreamNews['state'], detail: string): void {
    this.#state = state;
    this.#detail = detail.slice(0, DETAIL_CHARS_MAX);
    this.#ports.tell({ v: 1, state, detail: this.#detail || 'pictures arrive', frames: this.counts.published });
    this.#ports.log.info(`stream ${this.tenant}/${this.name} is ${state}`, detail ? { detail } : {});
    this.#ports.changed();
  }

  async #close(): Promise<void> {
    const source = this.#source;
    if (!source) return;
    await source.close();
    this.#missedBefore += source.missed;
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

  /** Once for each text. */
  #warn(what: string, detail: string): void {
    const text = `${what}: ${detail}`;
    if (this.#state === 'live') this.#detail = text.slice(0, DETAIL_CHARS_MAX);
    if (this.#warned.has(text) || this.#warned.size >= WARNINGS_MAX) return;
    this.#warned.add(text);
    this.#ports.log.warn(what, { stream: `${this.tenant}/${this.name}`, detail });
  }
}

/** The source was closed because it was silent. */
class InterruptedError extends Error {}
