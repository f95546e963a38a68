import { decodeJson } from '../../bus/index.ts';
import { candidatesOf, type Candidate, type ModelFacts } from '../../allocator/index.ts';
import {
  BUCKETS,
  describeError,
  prefixId,
  Profile,
  QueryDocument,
  StoredModel,
  suffixId,
  validator,
  type Cancel,
  type KeyValue,
  type KeyValueEntry,
  type Log,
  type Validator,
} from '../../contracts/index.ts';

const isModel = validator(StoredModel);
const isQuery = validator(QueryDocument);
const isProfile = validator(Profile);

/** A model, or a part of one. */
export interface Measurable {
  readonly id: string;
  /** Of a prefix: a model to take it from. */
  readonly of?: string;
  /** What the prefix gives, of a prefix and of a suffix, which is measured behind it. */
  readonly tensors?: readonly string[] | undefined;
  readonly batchMax: number;
  /** A part: whether it is one on emulated devices, or on others. */
  readonly emulated?: boolean;
}

export interface CatalogPorts {
  readonly log: Log;
  /** Whether models may be cut at a prefix that they share. */
  readonly prefixes: boolean;
  keyValue(bucket: string): Promise<KeyValue>;
  after(delayMs: number, fn: () => void): void;
  spawn(what: string, work: () => Promise<void>): void;
  /** A model, query, profile or wish came, changed or went. */
  changed(what: string): void;
}

/** Storage that is away is tried again so often. */
const RETRY_MS = 1000;

/** What was applied and measured, as the buckets have it, and the wishes about hosts. */
export class Catalog {
  /** By name. */
  readonly models = new Map<string, ModelFacts>();
  /** By `<tenant>.<name>`. */
  readonly queries = new Map<string, QueryDocument>();
  /** By key. */
  readonly profiles = new Map<string, Profile>();
  /** Hosts that should be left empty. */
  readonly draining = new Set<string>();
  readonly #ports: CatalogPorts;
  readonly #watches: Cancel[] = [];
  #unread = 0;
  #stopped = false;

  constructor(ports: CatalogPorts) {
    this.#ports = ports;
  }

  /** Whether all that there is has been read once: before, its absence means nothing. */
  get ready(): boolean {
    return this.#unread === 0;
  }

  follow(): void {
    this.#watch(BUCKETS.config, 'models.*', entry => {
      const model = this.#read(entry, isModel);
      if (model) {
        const { id, document, cuts = [] } = model;
        this.models.set(tail(entry.key), { id, batchMax: document.batchMax, cuts: this.#ports.prefixes ? cuts : [] });
      } else this.models.delete(tail(entry.key));
    });
    this.#watch(BUCKETS.config, 'queries.*.*', entry => {
      const key = tail(entry.key);
      const query = this.#read(entry, isQuery);
      if (query) this.queries.set(key, { ...query, tenant: key.split('.')[0]! });
      else this.queries.delete(key);
    });
    this.#watch(BUCKETS.profiles, '>', entry => {
      const profile = this.#read(entry, isProfile);
      if (profile) this.profiles.set(entry.key, profile);
      else this.profiles.delete(entry.key);
    });
    this.#watch(BUCKETS.plan, 'hosts.*', entry => {
      if (entry.value) this.draining.add(tail(entry.key));
      else this.draining.delete(tail(entry.key));
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#watches.splice(0)) cancel();
  }

  /**
   * What is to be measured, the most urgent first. Of models that could share a prefix one is measured whole, then the parts; the
   * others whole only while they are planned so: with many of them that would take long, and some may fit in parts alone.
   * @param grouped models that are planned behind a prefix
   */
  measurable(grouped: ReadonlySet<string>): Measurable[] {
    const models = this.modelIds();
    const used = models.filter(model => model.used);
    const candidates = candidatesOf(used);
    const first = candidates.filter(
      ({ members }, i) => !candidates.slice(0, i).some(c => overlaps(c.members, members)),
    );
    const others = new Set(first.flatMap(({ members }) => members.slice(1)));
    return [
      ...used.filter(({ id }) => !others.has(id)),
      ...first.flatMap(partsOf),
      ...used.filter(({ id }) => others.has(id) && !grouped.has(id)),
      ...candidates.filter(one => !first.includes(one)).flatMap(partsOf),
      ...models.filter(model => !model.used),
    ];
  }

  /** What one of the queries uses comes first. */
  modelIds(): (ModelFacts & { readonly used: boolean })[] {
    const used = new Set([...this.queries.values()].flatMap(q => Object.values(q.stages).map(s => s.model)));
    return [...this.models]
      .map(([name, model]) => ({ ...model, used: used.has(name) }))
      .toSorted((a, b) => Number(b.used) - Number(a.used) || (a.id < b.id ? -1 : 1));
  }

  #watch(bucket: string, filter: string, take: (entry: KeyValueEntry) => void): void {
    this.#unread++;
    let read = false;
    const onReady = (): void => {
      if (read) return;
      read = true;
      this.#unread--;
      if (this.ready) this.#ports.changed('what was applied has been read');
    };
    const onEntry = (entry: KeyValueEntry): void => {
      take(entry);
      this.#ports.changed(`${entry.key} ${entry.value ? 'changed' : 'was removed'}`);
    };
    const open = async (): Promise<void> => {
      try {
        const store = await this.#ports.keyValue(bucket);
        const cancel = await store.watch(filter, onEntry, { onReady });
        if (this.#stopped) cancel();
        else this.#watches.push(cancel);
      } catch (error) {
        if (this.#stopped) return;
        this.#ports.log.debug('a bucket can not be watched yet', { bucket, error: describeError(error) });
        this.#ports.after(RETRY_MS, () => this.#ports.spawn(`watching ${bucket}`, open));
      }
    };
    this.#ports.spawn(`watching ${bucket}`, open);
  }

  /** Undefined when it was removed, and when it isn't what it should be: then the log says so. */
  #read<T>(entry: KeyValueEntry, schema: Validator<T>): T | undefined {
    if (!entry.value) return undefined;
    try {
      return schema.check(decodeJson(entry.value), entry.key);
    } catch (error) {
      this.#ports.log.warn('an entry is ignored: it is malformed', { key: entry.key, error: describeError(error) });
      return undefined;
    }
  }
}

const overlaps = (some: readonly string[], others: readonly string[]): boolean =>
  some.some(one => others.includes(one));

const partsOf = ({ cut, tensors, emulated, members, batchMax }: Candidate): Measurable[] => [
  { id: prefixId(cut), of: members[0]!, tensors, batchMax, emulated },
  ...members.map(member => ({ id: suffixId(member, cut), tensors, batchMax, emulated })),
];

/** What follows the first token. */
const tail = (key: string): string => key.slice(key.indexOf('.') + 1);
