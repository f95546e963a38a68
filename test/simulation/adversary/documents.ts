import { encodeJson } from '../../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  DEFAULT_PREFIX,
  DEFAULT_TENANT,
  frameReader,
  framesJournal,
  frameSubjectsOf,
  MODEL_STORE,
  sleep,
  type Bus,
  type Clock,
  type KeyValue,
  type ModelDocument,
  type Profile,
  type QueryDocument,
  type StreamDocument,
} from '../../../contracts/index.ts';
import { BADGES, detector, profilesOf, reader, storedOf, tagger } from './models.ts';
import type { Scenario } from './scenario.ts';

/** Objectives, ms: of two stages and of one. A crash is noticed after seconds, so nothing is lost only where there are more. */
const OBJECTIVES = { storm: [300, 1500], moves: [800, 2000], crash: [10_000, 12_000] } as const;

function query(scenario: Scenario, name: string, objectiveMs: number, stages: QueryDocument['stages']): QueryDocument {
  const rateHz = scenario.rateHz * scenario.streams;
  return { kind: 'Query', name, streams: ['cam-*'], objectiveMs, rateHz, stages };
}

/** Its frames are stored, and read by this query. */
export const VAULT = 'vault';
export const KEPT = 'kept';
/** What samplers read. */
const FILM = 'film';
const EXTRA_RATE_HZ = 2;

export function queriesOf(scenario: Scenario): QueryDocument[] {
  const { extras } = scenario;
  const [twoStages, oneStage] = OBJECTIVES[scenario.kind];
  // More models on as many devices: a batch may have to wait for one of each.
  const crowded = extras.includes('group') || extras.includes('film') || extras.includes('durable');
  const of = (name: string, stream: string, more: Partial<QueryDocument> = {}): QueryDocument => ({
    ...query(scenario, name, oneStage, { read: { model: 'reader' } }),
    streams: [stream],
    rateHz: EXTRA_RATE_HZ,
    ...more,
  });
  return [
    query(scenario, 'traffic', crowded ? 2 * twoStages : twoStages, {
      detect: { model: 'detector' },
      read: { model: 'reader', from: 'detect', fanout: 2 },
    }),
    query(scenario, 'tags', oneStage, { tag: { model: 'tagger' } }),
    ...(extras.includes('durable') ? [of(KEPT, VAULT, { delivery: 'durable' })] : []),
    ...(extras.includes('film') ? [of('films', FILM)] : []),
    ...(extras.includes('group') ? BADGES : []).map(({ name }) =>
      of(name, 'cam-1', { rateHz: scenario.rateHz, stages: { read: { model: name } } }),
    ),
  ];
}

const stream = (name: string, more: Partial<StreamDocument> = {}): StreamDocument => ({
  kind: 'Stream',
  name,
  source: { kind: 'synthetic' },
  rateHz: EXTRA_RATE_HZ,
  ...more,
});

const streamsOf = ({ extras }: Scenario): StreamDocument[] =>
  extras.includes('film')
    ? [stream(FILM), ...(extras.includes('durable') ? [stream(VAULT, { durable: true })] : [])]
    : [];

const RETRY_MS = 300;

type Work = (config: KeyValue) => Promise<unknown>;

/** Applies and deletes as `ganglion apply` does: one thing after the other, each until it has been done. */
export class Documents {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #scenario: Scenario;
  #last: Promise<void> = Promise.resolve();
  #versions = 0;
  /** What was done last to each thing. */
  readonly #done = new Map<string, Work>();

  constructor(bus: Bus, clock: Clock, scenario: Scenario) {
    this.#bus = bus;
    this.#clock = clock;
    this.#scenario = scenario;
  }

  /** The models have been measured before. */
  applyAll(): Promise<void> {
    const group = this.#scenario.extras.includes('group') ? BADGES : [];
    for (const document of [detector, reader, tagger, ...group]) {
      this.#putModel(document);
      for (const profile of profilesOf(document)) this.#putProfile(profile);
    }
    for (const document of queriesOf(this.#scenario)) {
      if (document.delivery === 'durable') this.#keepFrames(document);
      this.#putQuery(document);
    }
    for (const document of streamsOf(this.#scenario)) this.#put(`streams.default.${document.name}`, document);
    return this.#last;
  }

  /** Whatever was applied or deleted, again: the store may have lost it. */
  applyAgain(): void {
    for (const work of this.#done.values()) this.#then(work);
  }

  addQuery(): void {
    this.#putQuery(query(this.#scenario, 'more', 1000, { detect: { model: 'detector' } }));
  }

  removeQuery(): void {
    this.#delete('queries.default.more');
  }

  /** The same model with other content: hosts load it beside the old one. */
  newVersion(): void {
    this.#putModel({ ...reader, version: `${++this.#versions + 1}` });
  }

  /** A model is deleted, and the query that reads it. */
  deleteTags(): void {
    this.#delete('queries.default.tags');
    this.#delete('models.tagger');
  }

  restoreTags(): void {
    this.#putModel(tagger);
    this.#putQuery(queriesOf(this.#scenario)[1]!);
  }

  #putModel(document: ModelDocument): void {
    const { stored, content, hash } = storedOf(document);
    this.#do(`models.${document.name}`, async config => {
      await (await this.#bus.objectStore(bucketName(DEFAULT_PREFIX, MODEL_STORE))).put(hash, content);
      await config.put(`models.${document.name}`, encodeJson(stored));
    });
  }

  #putProfile(profile: Profile): void {
    const key = `${profile.model.replace('@', '.')}.${profile.device}`;
    this.#do(`profile ${key}`, async () => {
      const bucket = await this.#bus.keyValue(bucketName(DEFAULT_PREFIX, BUCKETS.profiles));
      return bucket.put(key, encodeJson(profile));
    });
  }

  #putQuery(document: QueryDocument): void {
    this.#put(`queries.default.${document.name}`, document);
  }

  #put(key: string, document: object): void {
    this.#do(key, config => config.put(key, encodeJson(document)));
  }

  /** Before the query is there, as `ganglion apply` does. */
  #keepFrames({ name, streams = [] }: QueryDocument): void {
    const frameSubjects = frameSubjectsOf(DEFAULT_PREFIX, DEFAULT_TENANT, streams);
    const journal = framesJournal(DEFAULT_PREFIX, DEFAULT_TENANT, frameSubjects);
    this.#then(async () =>
      (await this.#bus.journal(journal.name, journal.settings)).addReader(frameReader(name, frameSubjects)),
    );
  }

  #delete(key: string): void {
    this.#do(key, config => config.delete(key));
  }

  #do(what: string, work: Work): void {
    this.#done.set(what, work);
    this.#then(work);
  }

  #then(work: Work): void {
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
