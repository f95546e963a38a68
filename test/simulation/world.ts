import { createHash } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { startActor, type AnyActor, type RunningActor } from '../../actors/actor/index.ts';
import { allocator } from '../../actors/allocator/index.ts';
import { gpuHost } from '../../actors/gpu-host/index.ts';
import { prefixBatcher } from '../../actors/prefix-batcher/index.ts';
import { queryRouter } from '../../actors/query-router/index.ts';
import { simulatedPorts, streamSampler } from '../../actors/stream-sampler/index.ts';
import { createNetwork, decode, encodeJson, VirtualClock } from '../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  DEFAULT_PREFIX,
  MODEL_STORE,
  seededRandom,
  subjects,
  type Bus,
  type Imaging,
  type Log,
  type ModelDocument,
  type Plan,
  type QueryDocument,
  type Result,
  type StoredModel,
  type StreamDocument,
} from '../../contracts/index.ts';
import { declaredCut, openDevice } from '../../gpu-host/index.ts';

/** Crops that are not cut: as many bytes as the pixels would take, up to what the router sends raw. */
const imaging: Imaging = {
  crop: async (_picture, regions) =>
    regions.map(({ width, height }) => ({
      encoding: 'jpeg' as const,
      data: new Uint8Array(Math.min(8000, Math.max(16, Math.round(width * height)))),
    })),
};

/** A model for emulated devices: ℓ(b) = α·b + β. */
function emulatedModel(
  name: string,
  curve: { alphaMs: number; betaMs: number; boxes?: number; persistentMB?: number; batchMax?: number },
): ModelDocument {
  const { alphaMs, betaMs, boxes, persistentMB = 100, batchMax = 32 } = curve;
  return {
    kind: 'Model',
    name,
    version: '1',
    file: `${name}.onnx`,
    licence: 'none',
    source: 'emulated',
    preprocess: { kind: 'picture', width: 320, height: 320, fit: 'stretch' },
    postprocess: boxes === undefined ? { kind: 'classes' } : { kind: 'boxes', coordinates: 'corners' },
    batchMax,
    emulation: { alphaMs, betaMs, persistentMB, ephemeralMBPerItem: 10, ...(boxes === undefined ? {} : { boxes }) },
  };
}

/** Of a model that was applied here: there is no graph, its name stands for it. */
export const idOf = ({ name }: ModelDocument): string => `${name}@${sha256(name).slice(0, 12)}`;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A whole cluster in one process, on virtual time: the production actors, the in-process bus, emulated devices. */
export class World {
  readonly clock = new VirtualClock();
  readonly network;
  readonly results: Result[] = [];
  readonly framesSeen = new Set<string>();
  readonly plans = new Map<number, Plan>();
  /** All that was said on the bus, in order: subject and size. */
  readonly trace = createHash('sha256');
  messages = 0;
  readonly logged: string[] = [];
  readonly #seed: number;
  readonly #actors = new Map<string, RunningActor>();
  readonly #observer: Bus;

  constructor(seed: number, options: { latencyMs?: number } = {}) {
    this.#seed = seed;
    this.network = createNetwork({ clock: this.clock, latencyMs: options.latencyMs ?? 0.2 });
    this.#observer = this.network.connect('observer');
    this.#observer.subscribe('>', ({ subject, data }) => {
      this.messages++;
      this.trace.update(`${this.clock.nowMs().toFixed(6)} ${subject} ${data.byteLength}\n`);
    });
    this.#observer.subscribe(
      subjects.results.at(DEFAULT_PREFIX),
      ({ data }) => void this.results.push(decode(data) as Result),
    );
    this.#observer.subscribe(subjects.frames.at(DEFAULT_PREFIX), ({ subject, data }) => {
      const { stream } = subjects.frames.paramsOf(DEFAULT_PREFIX, subject);
      this.framesSeen.add(`${stream} ${(decode(data) as { seq: number }).seq}`);
    });
    this.#observer.subscribe(subjects.plans.at(DEFAULT_PREFIX), ({ data }) => {
      const plan = decode(data) as Plan;
      this.plans.set(plan.epoch, plan);
    });
  }

  /** The plan in force as the leader says it. */
  get plan(): Plan | undefined {
    return this.plans.get(Math.max(0, ...this.plans.keys()));
  }

  async start(definition: AnyActor, id: string, config: object = {}): Promise<RunningActor> {
    const say =
      (level: string) =>
      (message: string, facts?: object): void =>
        void this.logged.push(
          `${this.clock.nowMs().toFixed(1)} ${level} ${id}: ${message} ${JSON.stringify(facts ?? {})}`,
        );
    const log: Log = { debug: () => {}, info: say('info'), warn: say('warn'), error: say('error') };
    const seed = this.#seed * 1000 + this.#actors.size;
    const running = await this.clock.settle(
      startActor(definition, {
        bus: this.network.connect(id),
        clock: this.clock,
        random: seededRandom(seed),
        log,
        id,
        config,
        checkOutgoing: true,
      }),
      120_000,
    );
    this.#actors.set(id, running);
    return running;
  }

  host(id: string, options: { memoryMB?: number } = {}): Promise<RunningActor> {
    const open = gpuHost({
      openDevice: settings => openDevice(settings, { clock: this.clock, random: seededRandom(this.#seed), log: quiet }),
    });
    return this.start(open, id, { device: { kind: 'emulated', memoryMB: options.memoryMB ?? 4000 } });
  }
  router(id: string): Promise<RunningActor> {
    return this.start(queryRouter({ imaging }), id);
  }
  batcher(id: string): Promise<RunningActor> {
    return this.start(prefixBatcher(), id);
  }
  allocator(id: string, config: object = {}): Promise<RunningActor> {
    return this.start(allocator(), id, config);
  }
  sampler(id: string): Promise<RunningActor> {
    return this.start(streamSampler(simulatedPorts()), id);
  }

  /** As a crash would: the actor says nothing more and its connection is gone. */
  crash(id: string): void {
    this.#actors.get(id)!.kill();
    this.network.disconnect(id);
  }

  async apply(...documents: (ModelDocument | QueryDocument | StreamDocument)[]): Promise<void> {
    await this.clock.settle(this.#apply(documents));
  }

  async remove(document: StreamDocument): Promise<void> {
    const bucket = await this.clock.settle(this.#observer.keyValue(bucketName(DEFAULT_PREFIX, BUCKETS.config)));
    await this.clock.settle(bucket.delete(`streams.${document.tenant ?? 'default'}.${document.name}`));
  }

  async #apply(documents: readonly (ModelDocument | QueryDocument | StreamDocument)[]): Promise<void> {
    const config = await this.#observer.keyValue(bucketName(DEFAULT_PREFIX, BUCKETS.config));
    const store = await this.#observer.objectStore(bucketName(DEFAULT_PREFIX, MODEL_STORE));
    for (const document of documents) {
      if (document.kind !== 'Model') {
        const kind = document.kind === 'Query' ? 'queries' : 'streams';
        await config.put(`${kind}.${document.tenant ?? 'default'}.${document.name}`, encodeJson(document));
        continue;
      }
      const content = new TextEncoder().encode(document.name);
      const hash = sha256(document.name);
      await store.put(hash, content);
      const cut = declaredCut(document);
      const stored: StoredModel = {
        v: 1,
        id: idOf(document),
        document,
        files: { [document.file]: hash },
        bytes: content.length,
        ...(cut ? { cuts: [cut] } : {}),
      };
      await config.put(`models.${document.name}`, encodeJson(stored));
    }
  }

  /** Sends a wish to the leading allocator, as `ganglion drain` does. */
  async ask(subject: string, message: object): Promise<unknown> {
    const { data } = await this.clock.settle(
      this.#observer.request(`${DEFAULT_PREFIX}.${subject}`, encodeJson(message), { timeoutMs: 5000 }),
    );
    return JSON.parse(new TextDecoder().decode(data));
  }

  /** Frames that have no outcome (yet). */
  get open(): string[] {
    const ended = new Set(this.results.map(({ stream, seq }) => `${stream} ${seq}`));
    return [...this.framesSeen].filter(frame => !ended.has(frame));
  }

  count(outcome: Result['outcome']): number {
    return this.results.filter(result => result.outcome === outcome).length;
  }

  async stopAll(): Promise<void> {
    for (const actor of [...this.#actors.values()].toReversed()) actor.kill();
  }
}

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A cluster of `hosts` emulated devices with everything else twice where it can be, serving a two-stage query. */
export async function smallCluster(
  t: ExecutionContext,
  options: { seed: number; hosts?: number; rateHz?: number; streams?: number },
): Promise<World> {
  const { seed, hosts = 2, rateHz = 10, streams = 3 } = options;
  const world = new World(seed);
  t.teardown(() => world.stopAll());
  t.teardown(() => {
    if (!t.passed) t.log(`seed ${seed}\n${world.logged.slice(-60).join('\n')}`);
  });
  await world.apply(
    emulatedModel('detector', { alphaMs: 3, betaMs: 6, boxes: 2.5 }),
    emulatedModel('reader', { alphaMs: 1, betaMs: 2 }),
    {
      kind: 'Query',
      name: 'traffic',
      streams: ['cam-*'],
      objectiveMs: 200,
      rateHz: rateHz * streams,
      stages: { detect: { model: 'detector' }, read: { model: 'reader', from: 'detect', fanout: 2.5 } },
    },
  );
  for (const id of ['allocator-1', 'allocator-2']) await world.allocator(id);
  await world.batcher('batcher-1');
  for (let n = 1; n <= hosts; n++) await world.host(`gpu-${n}`);
  for (const id of ['router-1', 'router-2']) await world.router(id);
  await world.sampler('sampler-1');
  await world.clock.runUntilTrue(() => world.plan?.queries.length === 1, 60_000);
  for (let n = 1; n <= streams; n++) {
    await world.apply({ kind: 'Stream', name: `cam-${n}`, source: { kind: 'synthetic', seed: n }, rateHz });
  }
  return world;
}
