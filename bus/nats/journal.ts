import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  nanos,
  RetentionPolicy,
  type ConsumerConfig,
  type JetStreamClient,
  type JetStreamManager,
  type StreamConfig,
  type StreamInfo,
} from 'nats';
import { ConfigError, type Journal, type JournalEntry, type JournalReader } from '../../contracts/index.ts';
import type { JournalSettings, ReaderSettings } from '../../contracts/index.ts';
import { MESSAGE_ID } from '../headers.ts';
import { assertBucket } from '../keys.ts';
import { assertPublishable, assertSubscribable, subjectCovers } from '../subject-match.ts';
import type { NatsBus } from './client.ts';
import { isBucketTaken, isConsumerGone, isStreamGone, isSubjectTaken, journalFailure } from './errors.ts';
import { startReading } from './journal-reader.ts';

/** From this release on a consumer can filter by several subjects. */
const SEVERAL_FILTERS = [2, 10] as const;

/** @throws StorageUnavailableError, ConfigError */
export async function openJournal(bus: NatsBus, name: string, settings: JournalSettings): Promise<Journal> {
  assertBucket(name);
  for (const subject of settings.subjects) assertSubscribable(subject);
  bus.assertStorage(`journal ${name}`);
  const journal = new NatsJournal(bus, name, settings);
  await journal.open();
  return journal;
}

/** A JetStream stream; its readers are durable pull consumers. Made anew when it has vanished. */
class NatsJournal implements Journal {
  readonly name: string;
  readonly #bus: NatsBus;
  readonly #settings: JournalSettings;
  readonly #js: JetStreamClient;
  #incarnation = '';

  constructor(bus: NatsBus, name: string, settings: JournalSettings) {
    this.name = name;
    this.#bus = bus;
    this.#settings = settings;
    this.#js = bus.nc.jetstream({ timeout: bus.storageTimeoutMs });
  }

  get incarnation(): string {
    return this.#incarnation;
  }

  async open(): Promise<void> {
    await this.#run('open', async manager => {
      const info = await this.#ensure(manager);
      this.#incarnation = info.created;
    });
  }

  async append(subject: string, data: Uint8Array, options: { id?: string } = {}): Promise<{ duplicate: boolean }> {
    assertPublishable(subject);
    const { id } = options;
    this.#bus.assertSize(subject, data, id === undefined ? undefined : { [MESSAGE_ID]: id });
    const append = async () => this.#js.publish(subject, data, id === undefined ? {} : { msgID: id });
    const { duplicate } = await this.#run(`append to ${subject}`, append).catch(async error => {
      if (!isStreamGone(error.cause)) throw error;
      await this.open();
      return this.#run(`append to ${subject}`, append);
    });
    return { duplicate };
  }

  async read(reader: ReaderSettings, deliver: (entry: JournalEntry) => void): Promise<JournalReader> {
    await this.addReader(reader);
    const ensure = async (): Promise<void> => this.addReader(reader);
    const open = async () => this.#js.consumers.get(this.name, reader.name);
    return startReading({ bus: this.#bus, journal: this.name, reader, open, ensure, deliver });
  }

  async addReader(reader: ReaderSettings): Promise<void> {
    assertBucket(reader.name);
    await this.open();
    await this.#run(`reader ${reader.name}`, async manager => this.#ensureConsumer(manager, reader));
  }

  async removeReader(name: string): Promise<void> {
    await this.#run(`remove reader ${name}`, async manager => {
      await manager.consumers.delete(this.name, name).catch(error => {
        if (!isConsumerGone(error) && !isStreamGone(error)) throw error;
      });
    });
  }

  async #run<T>(what: string, work: (manager: JetStreamManager) => Promise<T>): Promise<T> {
    this.#bus.assertStorage(`journal ${this.name}, ${what}`);
    try {
      return await this.#bus.whileConnected(what, async () =>
        // Without a look at the account first: what is not enabled says so by itself.
        work(await this.#js.jetstreamManager(false)),
      );
    } catch (error) {
      throw journalFailure(error, this.name, what);
    }
  }

  async #ensure(manager: JetStreamManager): Promise<StreamInfo> {
    const { subjects } = this.#settings;
    const found = await manager.streams.info(this.name).catch(error => {
      if (isStreamGone(error)) return undefined;
      throw error;
    });
    if (!found) return this.#create(manager);
    const { config } = found;
    const missing = subjects.filter(subject => !config.subjects.some(known => subjectCovers(known, subject)));
    if (missing.length === 0) return found;
    // A stream's own subjects must not overlap either.
    const kept = config.subjects.filter(known => !missing.some(subject => subjectCovers(subject, known)));
    return this.#claiming(async () =>
      manager.streams.update(this.name, { ...config, subjects: [...kept, ...widest(missing)] }),
    );
  }

  async #create(manager: JetStreamManager): Promise<StreamInfo> {
    const { subjects, keep, maxBytes, maxAgeMs, dedupeMs } = this.#settings;
    const config: Partial<StreamConfig> = {
      name: this.name,
      subjects: widest(subjects),
      retention: keep === 'until-read' ? RetentionPolicy.Interest : RetentionPolicy.Limits,
      discard: keep === 'until-read' ? DiscardPolicy.New : DiscardPolicy.Old,
      max_bytes: maxBytes,
      max_age: nanos(maxAgeMs),
      duplicate_window: nanos(dedupeMs),
    };
    return this.#claiming(async () =>
      manager.streams.add(config).catch(async error => {
        // Somebody else made it at this moment.
        if (isBucketTaken(error)) return this.#ensure(manager);
        throw error;
      }),
    );
  }

  async #claiming<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isSubjectTaken(error)) throw error;
      throw new ConfigError(
        `journal ${this.name}: another JetStream stream stores some of ${this.#settings.subjects.join(', ')}`,
        { remedy: 'see which with `nats stream ls`, and remove it or use another prefix' },
        { cause: error },
      );
    }
  }

  async #ensureConsumer(manager: JetStreamManager, reader: ReaderSettings): Promise<void> {
    const filters = this.#filters(reader.subjects);
    const found = await manager.consumers.info(this.name, reader.name).catch(error => {
      if (isConsumerGone(error)) return undefined;
      throw error;
    });
    const ackWait = nanos(reader.ackWaitMs);
    if (!found) {
      await manager.consumers.add(this.name, {
        durable_name: reader.name,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.New,
        ack_wait: ackWait,
        max_ack_pending: -1,
        ...filters,
      });
      return;
    }
    const { filter_subject: one, filter_subjects: several, ack_wait: wait } = found.config;
    const known = JSON.stringify(several ?? (one ? [one] : []));
    const wanted = JSON.stringify(filters.filter_subjects ?? (filters.filter_subject ? [filters.filter_subject] : []));
    if (known === wanted && wait === ackWait) return;
    await manager.consumers.update(this.name, reader.name, {
      ...found.config,
      ack_wait: ackWait,
      filter_subject: '',
      filter_subjects: [],
      ...filters,
    });
  }

  #filters(subjects: readonly string[]): Partial<ConsumerConfig> {
    const wanted = widest(subjects).sort();
    if (wanted.length === 1) return { filter_subject: wanted[0]! };
    const [major = 0, minor = 0] = (this.#bus.nc.info?.version ?? '0.0').split('.').map(Number);
    const newEnough = major > SEVERAL_FILTERS[0] || (major === SEVERAL_FILTERS[0] && minor >= SEVERAL_FILTERS[1]);
    // Older servers send everything; what isn't asked for is acknowledged unseen.
    return newEnough ? { filter_subjects: wanted } : {};
  }
}

/** Those that no other one covers. */
const widest = (subjects: readonly string[]): string[] => {
  const distinct = [...new Set(subjects)];
  return distinct.filter(subject => !distinct.some(other => other !== subject && subjectCovers(other, subject)));
};
