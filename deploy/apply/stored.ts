import { isDeepStrictEqual } from 'node:util';
import { decodeJson, encodeJson } from '../../bus/index.ts';
import {
  BUCKETS,
  bucketName,
  DEFAULT_TENANT,
  describeError,
  QueryDocument,
  StoredModel,
  StreamDocument,
  validator,
  type Bus,
  type KeyValue,
  type Validator,
} from '../../contracts/index.ts';

/** What was applied to a cluster. */
export interface StoredConfig {
  readonly models: readonly StoredModel[];
  readonly queries: readonly QueryDocument[];
  readonly streams: readonly StreamDocument[];
  /** Entries that could not be read, one sentence each. */
  readonly unreadable: readonly string[];
}

export const configBucket = (bus: Bus, prefix: string): Promise<KeyValue> =>
  bus.keyValue(bucketName(prefix, BUCKETS.config));

const storedModel = validator(StoredModel);
const storedQuery = validator(QueryDocument);
const storedStream = validator(StreamDocument);

/** Key of a document in the bucket `config`. */
export function configKey(document: { kind: string; name: string; tenant?: string }): string {
  if (document.kind === 'Model') return `models.${document.name}`;
  const folder = document.kind === 'Query' ? 'queries' : 'streams';
  return `${folder}.${document.tenant ?? DEFAULT_TENANT}.${document.name}`;
}

/** @throws StorageUnavailableError */
export async function readConfig(bus: Bus, prefix: string): Promise<StoredConfig> {
  const bucket = await configBucket(bus, prefix);
  const unreadable: string[] = [];
  const all = async <T>(filter: string, schema: Validator<T>): Promise<T[]> => {
    const keys = (await bucket.keys(filter)).sort();
    const values = await Promise.all(keys.map(async key => readValue(bucket, key, schema, unreadable)));
    return values.filter(value => value !== undefined);
  };
  return {
    models: await all('models.*', storedModel),
    queries: await all('queries.*.*', storedQuery),
    streams: await all('streams.*.*', storedStream),
    unreadable,
  };
}

async function readValue<T>(
  bucket: KeyValue,
  key: string,
  schema: Validator<T>,
  unreadable: string[],
): Promise<T | undefined> {
  const entry = await bucket.get(key);
  if (!entry?.value) return undefined;
  try {
    return schema.check(decodeJson(entry.value), `${bucket.bucket}/${key}`);
  } catch (error) {
    unreadable.push(describeError(error));
    return undefined;
  }
}

/** Every value of a bucket that fits the schema, by key. @throws StorageUnavailableError */
export async function readBucket<T>(
  bus: Bus,
  bucket: string,
  schema: Validator<T>,
  filter = '>',
): Promise<Map<string, T>> {
  const store = await bus.keyValue(bucket);
  const found = new Map<string, T>();
  for (const key of (await store.keys(filter)).sort()) {
    const value = await readValue(store, key, schema, []);
    if (value !== undefined) found.set(key, value);
  }
  return found;
}

export type Change = 'created' | 'changed' | 'unchanged';

/** What writing `value` would do. */
export async function compareStored(
  bucket: KeyValue,
  key: string,
  value: unknown,
): Promise<{ change: Change; revision: number }> {
  const entry = await bucket.get(key);
  if (!entry?.value) return { change: 'created', revision: entry?.revision ?? 0 };
  let same = false;
  try {
    same = isDeepStrictEqual(decodeJson(entry.value), JSON.parse(JSON.stringify(value)));
  } catch {
    // What is no JSON is replaced.
  }
  return { change: same ? 'unchanged' : 'changed', revision: entry.revision };
}

/** Writes by compare-and-set, so that two people who apply at once notice. @throws ConflictError, StorageUnavailableError */
export async function writeStored(bucket: KeyValue, key: string, value: unknown): Promise<Change> {
  const { change, revision } = await compareStored(bucket, key, value);
  if (change === 'created') await bucket.create(key, encodeJson(value));
  if (change === 'changed') await bucket.update(key, encodeJson(value), revision);
  return change;
}
