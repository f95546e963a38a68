import { createHash } from 'node:crypto';
import { encodeJson } from '../../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  DEFAULT_PREFIX,
  MODEL_STORE,
  sleep,
  type Bus,
  type Clock,
  type KeyValue,
  type ModelDocument,
  type Profile,
  type QueryDocument,
  type StoredModel,
} from '../../../contracts/index.ts';
import type { Scenario } from './scenario.ts';

function model(name: string, emulation: NonNullable<ModelDocument['emulation']>): ModelDocument {
  return {
    kind: 'Model',
    name,
    version: '1',
    file: `${name}.onnx`,
    licence: 'none',
    source: 'emulated',
    preprocess: { kind: 'picture', width: 320, height: 320, fit: 'stretch' },
    postprocess: emulation.boxes === undefined ? { kind: 'classes' } : { kind: 'boxes', coordinates: 'corners' },
    batchMax: 8,
    emulation,
  };
}

const MODELS: readonly ModelDocument[] = [
  model('detector', { alphaMs: 15, betaMs: 25, persistentMB: 150, ephemeralMBPerItem: 10, loadMs: 400, boxes: 2 }),
  model('reader', { alphaMs: 4, betaMs: 8, persistentMB: 100, ephemeralMBPerItem: 10, loadMs: 300 }),
  model('tagger', { alphaMs: 15, betaMs: 20, persistentMB: 200, ephemeralMBPerItem: 10, loadMs: 800 }),
];

/** Objectives, ms: of two stages and of one. A crash is noticed after seconds, so nothing is lost only where there are more. */
const OBJECTIVES = { storm: [300, 1500], moves: [800, 2000], crash: [10_000, 12_000] } as const;

function query(scenario: Scenario, name: string, objectiveMs: number, stages: QueryDocument['stages']): QueryDocument {
  const rateHz = scenario.rateHz * scenario.streams;
  return { kind: 'Query', name, streams: ['cam-*'], objectiveMs, rateHz, stages };
}

function queriesOf(scenario: Scenario): QueryDocument[] {
  const [twoStages, oneStage] = OBJECTIVES[scenario.kind];
  return [
    query(scenario, 'traffic', twoStages, {
      detect: { model: 'detector' },
      read: { model: 'reader', from: 'detect', fanout: 2 },
    }),
    query(scenario, 'tags', oneStage, { tag: { model: 'tagger' } }),
  ];
}

function contentOf({ name, version }: ModelDocument): { content: Uint8Array; hash: string; id: string } {
  const content = new TextEncoder().encode(`${name} ${version}`);
  const hash = createHash('sha256').update(content).digest('hex');
  return { content, hash, id: `${name}@${hash.slice(0, 12)}` };
}

/** What measuring would find. */
function profileOf(document: ModelDocument): Profile {
  const { alphaMs, betaMs, persistentMB, ephemeralMBPerItem, loadMs = 0 } = document.emulation!;
  const points = [1, 2, 4, document.batchMax].map(batch => {
    const meanMs = alphaMs * batch + betaMs;
    return { batch, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: ephemeralMBPerItem * batch * 1e6, repeats: 3 };
  });
  const facts = { model: contentOf(document).id, device: 'emulated', emulated: true, loadMs, preMs: 0, postMs: 0 };
  return { v: 1, ...facts, points, persistentBytes: persistentMB * 1e6 };
}

const RETRY_MS = 300;

/** Applies and deletes as `ganglion apply` does: one thing after the other, each until it has been done. */
export class Documents {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #scenario: Scenario;
  #last: Promise<void> = Promise.resolve();
  #versions = 0;

  constructor(bus: Bus, clock: Clock, scenario: Scenario) {
    this.#bus = bus;
    this.#clock = clock;
    this.#scenario = scenario;
  }

  /** The models have been measured before. */
  applyAll(): Promise<void> {
    for (const document of MODELS) {
      this.#putModel(document);
      this.#putProfile(document);
    }
    for (const document of queriesOf(this.#scenario)) this.#putQuery(document);
    return this.#last;
  }

  addQuery(): void {
    this.#putQuery(query(this.#scenario, 'more', 1000, { detect: { model: 'detector' } }));
  }

  removeQuery(): void {
    this.#delete('queries.default.more');
  }

  /** The same model with other content: hosts load it beside the old one. */
  newVersion(): void {
    this.#putModel({ ...MODELS[1]!, version: `${++this.#versions + 1}` });
  }

  /** A model is deleted, and the query that reads it. */
  deleteTags(): void {
    this.#delete('queries.default.tags');
    this.#delete('models.tagger');
  }

  restoreTags(): void {
    this.#putModel(MODELS[2]!);
    this.#putQuery(queriesOf(this.#scenario)[1]!);
  }

  #putModel(document: ModelDocument): void {
    const { content, hash, id } = contentOf(document);
    const stored: StoredModel = { v: 1, id, document, files: { [document.file]: hash }, bytes: content.length };
    this.#then(async config => {
      await (await this.#bus.objectStore(bucketName(DEFAULT_PREFIX, MODEL_STORE))).put(hash, content);
      await config.put(`models.${document.name}`, encodeJson(stored));
    });
  }

  #putProfile(document: ModelDocument): void {
    const profile = profileOf(document);
    const key = `${profile.model.replace('@', '.')}.${profile.device}`;
    this.#then(() =>
      this.#bus
        .keyValue(bucketName(DEFAULT_PREFIX, BUCKETS.profiles))
        .then(bucket => bucket.put(key, encodeJson(profile))),
    );
  }

  #putQuery(document: QueryDocument): void {
    this.#then(config => config.put(`queries.default.${document.name}`, encodeJson(document)));
  }

  #delete(key: string): void {
    this.#then(config => config.delete(key));
  }

  #then(work: (config: KeyValue) => Promise<unknown>): void {
    this.#last = this.#last.then(async () => {
      for (;;) {
        try {
          await work(await this.#bus.keyValue(bucketName(DEFAULT_PREFIX, BUCKETS.config)));
          return;
        } catch {
          await sleep(this.#clock, RETRY_MS);
        }
      }
    });
  }
}
