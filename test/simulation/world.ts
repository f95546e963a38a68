import { createHash } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import type { RunningActor } from '../../actors/actor/index.ts';
import { simulatedPorts, streamSampler } from '../../actors/stream-sampler/index.ts';
import { decode, encode } from '../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  DEFAULT_PREFIX,
  subjects,
  type ModelDocument,
  type Plan,
  type QueryDocument,
  type Result,
  type StoredModel,
  type StreamDocument,
} from '../../contracts/index.ts';
import { storedModel, World as SimulatedWorld } from '../../deploy/simulate/index.ts';

type Emulation = NonNullable<ModelDocument['emulation']>;

/** A model for emulated devices: a detector where it finds boxes, else a classifier. */
export const modelWith = (name: string, emulation: Emulation, batchMax: number): ModelDocument => ({
  kind: 'Model',
  name,
  version: '1',
  file: `${name}.onnx`,
  licence: 'none',
  source: 'emulated',
  preprocess: { kind: 'picture', width: 320, height: 320, fit: 'stretch' },
  postprocess: emulation.boxes === undefined ? { kind: 'classes' } : { kind: 'boxes', coordinates: 'corners' },
  batchMax,
  emulation,
});

/** ℓ(b) = α·b + β. */
export function emulatedModel(
  name: string,
  curve: { alphaMs: number; betaMs: number; boxes?: number; persistentMB?: number; batchMax?: number },
): ModelDocument {
  const { batchMax = 32, persistentMB = 100, ...emulation } = curve;
  return modelWith(name, { ephemeralMBPerItem: 10, persistentMB, ...emulation }, batchMax);
}

const stored = (document: ModelDocument): StoredModel => storedModel(document, document.name.length);

/** Of a model that was applied here: there is no graph. */
export const idOf = (document: ModelDocument): string => stored(document).id;

/** The simulated cluster, with everything that is said on its bus written down. */
export class World extends SimulatedWorld {
  readonly results: Result[] = [];
  readonly framesSeen = new Set<string>();
  readonly plans = new Map<number, Plan>();
  /** All that was said on the bus, in order: subject and size. */
  readonly trace = createHash('sha256');
  messages = 0;
  readonly logged: string[];

  constructor(seed: number, options: { latencyMs?: number } = {}) {
    const logged: string[] = [];
    super({
      seed,
      checkOutgoing: true,
      messages: 'encoded',
      ...options,
      onLog: (level, id, message, facts) =>
        void logged.push(`${this.clock.nowMs().toFixed(1)} ${level} ${id}: ${message} ${JSON.stringify(facts)}`),
    });
    this.logged = logged;
    const observer = this.network.connect('observer');
    observer.subscribe('>', ({ subject, data }) => {
      this.messages++;
      this.trace.update(`${this.clock.nowMs().toFixed(6)} ${subject} ${data.byteLength}\n`);
    });
    observer.subscribe(
      subjects.results.at(DEFAULT_PREFIX),
      ({ data }) => void this.results.push(decode(data) as Result),
    );
    observer.subscribe(subjects.frames.at(DEFAULT_PREFIX), ({ subject, data }) => {
      const { stream } = subjects.frames.paramsOf(DEFAULT_PREFIX, subject);
      this.framesSeen.add(`${stream} ${(decode(data) as { seq: number }).seq}`);
    });
    observer.subscribe(subjects.plans.at(DEFAULT_PREFIX), ({ data }) => {
      const plan = decode(data) as Plan;
      this.plans.set(plan.epoch, plan);
    });
  }

  /** The plan in force as the leader says it. */
  get plan(): Plan | undefined {
    return this.plans.get(Math.max(0, ...this.plans.keys()));
  }

  sampler(id: string): Promise<RunningActor> {
    return this.start(streamSampler(simulatedPorts()), id);
  }

  async apply(...documents: (ModelDocument | QueryDocument | StreamDocument)[]): Promise<void> {
    await this.tell({
      models: documents.filter(one => one.kind === 'Model').map(stored),
      queries: documents.filter(one => one.kind === 'Query'),
      streams: documents.filter(one => one.kind === 'Stream'),
    });
  }

  async remove(document: StreamDocument): Promise<void> {
    const bucket = await this.clock.settle(this.admin.keyValue(bucketName(DEFAULT_PREFIX, BUCKETS.config)));
    await this.clock.settle(bucket.delete(`streams.${document.tenant ?? 'default'}.${document.name}`));
  }

  /** A frame of a stream that nobody samples. */
  frame(stream: string, seq: number, what = ''): void {
    const picture = { encoding: 'jpeg' as const, data: new TextEncoder().encode(what.padEnd(100)) };
    const at = subjects.frames.at(DEFAULT_PREFIX, { tenant: 'default', stream });
    this.admin.publish(at, encode({ v: 1, seq, picture }));
  }

  /** Frames that have no outcome (yet). */
  get open(): string[] {
    const ended = new Set(this.results.map(({ stream, seq }) => `${stream} ${seq}`));
    return [...this.framesSeen].filter(frame => !ended.has(frame));
  }

  count(outcome: Result['outcome']): number {
    return this.results.filter(result => result.outcome === outcome).length;
  }
}

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
