import type { Cancel, KeyValue, KeyValueEntry } from '../../contracts/index.ts';
import { assertBucket, assertKey } from '../keys.ts';
import { assertSubscribable } from '../subject-match.ts';
import { NatsBucket, type BucketOptions } from './bucket.ts';
import type { NatsBus } from './client.ts';
import { NatsWatch } from './watch.ts';

/** @throws StorageUnavailableError */
export async function openKeyValue(bus: NatsBus, name: string, options: BucketOptions): Promise<KeyValue> {
  assertBucket(name);
  const bucket = new NatsBucket(bus, name, options);
  await bucket.open();
  return new NatsKeyValue(bucket);
}

class NatsKeyValue implements KeyValue {
  readonly bucket: string;
  readonly #bucket: NatsBucket;

  constructor(bucket: NatsBucket) {
    this.bucket = bucket.name;
    this.#bucket = bucket;
  }

  async get(key: string): Promise<KeyValueEntry | undefined> {
    assertKey(key);
    const entry = await this.#bucket.run(key, async kv => kv.get(key));
    if (!entry || entry.operation !== 'PUT') return undefined;
    return { key, value: new Uint8Array(entry.value), revision: entry.revision };
  }

  async put(key: string, value: Uint8Array): Promise<number> {
    assertKey(key);
    return this.#bucket.run(key, async kv => kv.put(key, value));
  }

  async create(key: string, value: Uint8Array): Promise<number> {
    assertKey(key);
    return this.#bucket.run(key, async kv => kv.create(key, value));
  }

  async update(key: string, value: Uint8Array, revision: number): Promise<number> {
    assertKey(key);
    return this.#bucket.run(key, async kv => kv.put(key, value, { previousSeq: revision }));
  }

  async delete(key: string, revision?: number): Promise<void> {
    assertKey(key);
    await this.#bucket.run(key, async kv => kv.delete(key, revision === undefined ? {} : { previousSeq: revision }));
  }

  async keys(filter = '>'): Promise<string[]> {
    assertSubscribable(filter);
    return this.#bucket.run('keys', async kv => {
      const keys: string[] = [];
      for await (const key of await kv.keys(filter)) keys.push(key);
      return keys;
    });
  }

  async watch(
    filter: string,
    onEntry: (entry: KeyValueEntry) => void,
    options: { onReady?: () => void } = {},
  ): Promise<Cancel> {
    assertSubscribable(filter);
    const watch = new NatsWatch(this.#bucket, filter, onEntry, options.onReady ?? (() => {}));
    await watch.start();
    return () => watch.end();
  }
}
