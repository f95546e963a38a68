import {
  describeError,
  subjects,
  type KeyValueEntry,
  type SamplerBeat,
  type StreamNews,
} from '../../contracts/index.ts';
import type { SamplerContext } from './actor.ts';
import { Peers } from './peers.ts';
import type { Pixels } from './pixels.ts';
import { readerOf } from './sharing.ts';
import type { OpenSource } from './sources/index.ts';
import { StoringPublisher } from './storing.ts';
import { StreamReader, type StreamPorts } from './stream.ts';
import { streamOf, wantedOf, type Wanted } from './wanted.ts';

/** The streams of the cluster, the samplers that share them, and the readers of those that fall to this one. */
export class StreamSet {
  unwatch: () => void = () => {};
  onLeave: () => void = () => {};
  readonly #ports: { readonly pixels: Pixels; readonly openSource: OpenSource };
  #ctx: SamplerContext | undefined;
  /** By `<tenant>.<name>`, all three. */
  readonly #wanted = new Map<string, Wanted>();
  readonly #readers = new Map<string, StreamReader>();
  /** Streams that came to their end on another sampler: they don't begin anew when it goes. */
  readonly #endedElsewhere = new Set<string>();
  /** Readers that are closing, so that a new one of the same stream waits for its source to be free. */
  readonly #closing = new Map<string, Promise<void>>();
  readonly #peers = new Peers();
  #announced = false;
  #sharing = false;
  #leaving = false;
  #beatPending = false;
  /** There were more streams for us than we may read; said once. */
  #full = false;

  constructor(ports: { pixels: Pixels; openSource: OpenSource }) {
    this.#ports = ports;
  }

  get leaving(): boolean {
    return this.#leaving;
  }

  /** Streams read here. */
  get readerCount(): number {
    return this.#readers.size;
  }

  begin(ctx: SamplerContext): void {
    this.#ctx = ctx;
  }

  /** From now on the others know of us. */
  announce(): void {
    this.#announced = true;
    this.beat();
  }

  /** From now on streams that name no sampler are taken too. */
  share(): void {
    this.#sharing = true;
    this.#assign();
  }

  tick(): void {
    const { clock, bus } = this.#context();
    this.#peers.expire(clock.nowMs(), bus.connected);
    this.#assign();
    this.beat();
  }

  heard(peer: string, beat: SamplerBeat): void {
    const isNew = this.#peers.hear(peer, this.#context().clock.nowMs());
    if (beat.leaving) this.#peers.forget(peer);
    for (const { tenant, stream, state } of beat.streams) {
      const key = `${tenant}.${stream}`;
      if (state === 'ended' && this.#wanted.has(key)) this.#endedElsewhere.add(key);
      else this.#endedElsewhere.delete(key);
    }
    if (isNew && !beat.leaving) this.#changedSoon(); // it learns of us without waiting for the second
    if (isNew || beat.leaving) this.#assign();
  }

  /** A stream document was put or deleted. */
  changed(entry: KeyValueEntry): void {
    if (this.#leaving) return;
    const key = streamOf(entry.key);
    const { value } = entry;
    if (!value) {
      this.#remove(key);
      return;
    }
    try {
      const wanted = wantedOf({ ...entry, value });
      if (this.#wanted.get(key)?.json === wanted.json) return;
      this.#endedElsewhere.delete(key);
      this.#release(key);
      this.#wanted.set(key, wanted);
      this.#assign();
    } catch (error) {
      const facts = { key: entry.key, detail: describeError(error) };
      this.#context().log.error('a stream document can not be used; what ran before goes on', facts);
    }
  }

  beat(): void {
    if (!this.#announced) return;
    const ctx = this.#context();
    const streams = [...this.#readers.values()].map(reader => reader.report());
    ctx.publish(
      subjects.samplerBeats,
      { sampler: ctx.id },
      { v: 1, streams, ...(this.#leaving ? { leaving: true } : {}), ...ctx.vitals() },
    );
  }

  /** Lets go of everything and says so. */
  async leave(): Promise<void> {
    this.#leaving = true;
    this.unwatch();
    this.onLeave();
    await Promise.all([...this.#readers.values()].map(async reader => reader.stop()));
    this.beat();
    this.#readers.clear();
  }

  #remove(key: string): void {
    const wanted = this.#wanted.get(key);
    this.#wanted.delete(key);
    this.#endedElsewhere.delete(key);
    const reader = this.#readers.get(key);
    if (!wanted || !reader) return;
    this.#release(key);
    this.#tell(wanted, {
      v: 1,
      state: 'removed',
      detail: 'its document was removed',
      frames: reader.status.counts.published,
    });
    this.#changedSoon();
  }

  #assign(): void {
    if (this.#leaving) return;
    for (const [key, wanted] of this.#wanted) {
      const ours = this.#isOurs(key, wanted);
      if (ours && !this.#readers.has(key)) this.#take(key, wanted);
      // One that ended stays with the sampler that knows it.
      if (!ours && this.#readers.has(key) && this.#readers.get(key)?.status.state !== 'ended') this.#release(key);
    }
  }

  #isOurs(key: string, { document }: Wanted): boolean {
    const { id } = this.#context();
    if (document.sampler !== undefined) return document.sampler === id;
    if (!this.#sharing || this.#endedElsewhere.has(key)) return false;
    return readerOf(key, [id, ...this.#peers.names]) === id;
  }

  #take(key: string, wanted: Wanted): void {
    const ctx = this.#context();
    if (this.#readers.size >= ctx.config.streamsMax) {
      if (!this.#full) ctx.log.error('streams are not read: start another sampler or raise streamsMax', { first: key });
      this.#full = true;
      return;
    }
    const reader = new StreamReader(wanted, this.#portsOf(wanted, ctx));
    this.#readers.set(key, reader);
    ctx.spawn(`stream ${key}`, async () => {
      await this.#closing.get(key);
      await reader.run();
    });
    this.#changedSoon();
  }

  #portsOf(wanted: Wanted, ctx: SamplerContext): StreamPorts {
    const { pixels, openSource } = this.#ports;
    const { bus, clock, random, log, prefix } = ctx;
    const { tenant, name: stream, document } = wanted;
    const timers = {
      nowMs: () => clock.nowMs(),
      unixMs: () => clock.unixMs(),
      after: (delayMs: number, fn: () => void) => ctx.after(delayMs, fn),
    };
    const warn = (detail: string): void => log.warn('a frame waits to be stored', { tenant, stream, detail });
    const storing = document.durable
      ? new StoringPublisher(tenant, stream, { bus, prefix, random, timers, warn })
      : undefined;
    const around = { tenant, stream, prefix, bus, timers, random, log, pixels, ffmpeg: ctx.config.ffmpeg };
    return {
      timers,
      random,
      log,
      pixels,
      open: () => openSource(document, around),
      canPublish: () => bus.connected || storing !== undefined,
      publish: (frame, wanted) =>
        storing?.publish(frame, wanted) ?? ctx.publish(subjects.frames, { tenant, stream }, frame),
      maxPayloadBytes: () => bus.maxPayloadBytes,
      tell: news => this.#tell(wanted, news),
      changed: () => this.#changedSoon(),
    };
  }

  #release(key: string): void {
    const reader = this.#readers.get(key);
    if (!reader) return;
    this.#readers.delete(key);
    const closed: Promise<void> = reader
      .stop()
      .catch(error => this.#context().log.error(`closing stream ${key}`, { error: describeError(error) }))
      .finally(() => {
        if (this.#closing.get(key) === closed) this.#closing.delete(key);
      });
    this.#closing.set(key, closed);
    this.#changedSoon();
  }

  #tell({ tenant, name }: Wanted, news: StreamNews): void {
    this.#context().publish(subjects.streamNews, { tenant, stream: name }, news, { keep: true });
  }

  /** One beat for all that changes in a turn of the event loop. */
  #changedSoon(): void {
    if (this.#beatPending) return;
    this.#beatPending = true;
    this.#context().after(0, () => {
      this.#beatPending = false;
      this.beat();
    });
  }

  #context(): SamplerContext {
    if (!this.#ctx) throw new Error('begin() was not called');
    return this.#ctx;
  }
}
