import { createHash } from 'node:crypto';
import { consumerOpts, nuid, type JetStreamClient, type ObjectStore as NatsStore } from 'nats';
import { StorageUnavailableError, type Cancel, type ObjectStore } from '../../contracts/index.ts';
import { assertBucket } from '../keys.ts';
import type { NatsBus } from './client.ts';
import { storageFailure } from './errors.ts';
import { readMeta, writeMeta, type ObjectMeta } from './object-meta.ts';

const CHUNK_BYTES = 128 * 1024;
/** Chunks sent and not yet acknowledged: 4 MB. The client's own `put` sends all at once, so a large model would time out. */
const CHUNKS_UNDER_WAY = 32;

const paddedBase64Url = (data: Buffer): string => data.toString('base64').replaceAll('+', '-').replaceAll('/', '_');

/** @throws StorageUnavailableError */
export async function openObjectStore(bus: NatsBus, name: string): Promise<ObjectStore> {
  assertBucket(name);
  bus.assertStorage(`object store ${name}`);
  try {
    const js = bus.nc.jetstream({ timeout: bus.storageTimeoutMs });
    return new NatsObjectStore(bus, js, await js.views.os(name, {}), name);
  } catch (error) {
    throw storageFailure(error, name, 'open');
  }
}

/** JetStream's object store format (ADR-20), so that `nats object` reads what is written here and the other way round. */
class NatsObjectStore implements ObjectStore {
  readonly bucket: string;
  readonly #bus: NatsBus;
  readonly #js: JetStreamClient;
  readonly #store: NatsStore;

  constructor(bus: NatsBus, js: JetStreamClient, store: NatsStore, bucket: string) {
    this.#bus = bus;
    this.#js = js;
    this.#store = store;
    this.bucket = bucket;
  }

  async put(name: string, data: Uint8Array): Promise<void> {
    await this.#run(name, async () => {
      const old = await readMeta(this.#js, this.bucket, name);
      const id = nuid.next();
      const chunks = await this.#putChunks(id, data);
      await writeMeta(this.#js, {
        name,
        bucket: this.bucket,
        nuid: id,
        size: data.byteLength,
        chunks,
        digest: `SHA-256=${paddedBase64Url(createHash('sha256').update(data).digest())}`,
        mtime: new Date(this.#bus.clock.unixMs()).toISOString(),
        deleted: false,
        options: { max_chunk_size: CHUNK_BYTES },
      });
      if (old) await this.#dropChunks(old.nuid);
    });
  }

  /** @returns how many. When one can't be written, those that were are removed. */
  async #putChunks(id: string, data: Uint8Array): Promise<number> {
    const subject = `$O.${this.bucket}.C.${id}`;
    const underWay: Promise<unknown>[] = [];
    const chunkBytes = Math.min(CHUNK_BYTES, this.#bus.maxPayloadBytes);
    let chunks = 0;
    try {
      for (let at = 0; at < data.byteLength; at += chunkBytes) {
        if (underWay.length >= CHUNKS_UNDER_WAY) await underWay.shift();
        const written = this.#js.publish(subject, data.subarray(at, at + chunkBytes));
        // Awaited later: until then a failure is not an unhandled one.
        written.catch(() => {});
        underWay.push(written);
        chunks++;
      }
      await Promise.all(underWay);
    } catch (error) {
      await this.#dropChunks(id);
      throw error;
    }
    return chunks;
  }

  /** Best effort: chunks that nothing refers to only take space. */
  async #dropChunks(id: string): Promise<void> {
    try {
      const manager = await this.#js.jetstreamManager();
      await manager.streams.purge(`OBJ_${this.bucket}`, { filter: `$O.${this.bucket}.C.${id}` });
    } catch {
      this.#bus.log.warn('chunks of a replaced object remain in the store', { store: this.bucket });
    }
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    return this.#run(name, async () => {
      const info = await readMeta(this.#js, this.bucket, name);
      if (!info) return undefined;
      const data = info.size > 0 ? await this.#read(info) : new Uint8Array(0);
      const digest = createHash('sha256').update(data).digest();
      // Other clients pad differently: what counts is the number, not its spelling.
      if (!digest.equals(Buffer.from(info.digest.replace(/^SHA-256=/, ''), 'base64url'))) {
        throw new StorageUnavailableError(
          `${this.bucket}, ${name}: the content doesn't match its digest; put it again`,
        );
      }
      return data;
    });
  }

  /** All chunks, in order. Fails when none comes for the storage's timeout: the object may be replaced under our hands. */
  async #read(info: ObjectMeta): Promise<Uint8Array> {
    const data = new Uint8Array(info.size);
    let got = 0;
    let cancelStall: Cancel = () => {};
    let settle: (error?: Error) => void = () => {};
    const all = new Promise<void>((resolve, reject) => {
      settle = error => (error ? reject(error) : resolve());
    });
    const awaitNext = (): void => {
      cancelStall();
      cancelStall = this.#bus.clock.after(this.#bus.storageTimeoutMs, () =>
        settle(
          new StorageUnavailableError(`${this.bucket}, ${info.name}: ${got} of ${info.size} bytes came, then none`),
        ),
      );
    };
    awaitNext();
    const options = consumerOpts();
    options.orderedConsumer();
    options.bindStream(`OBJ_${this.bucket}`);
    options.callback((error, message) => {
      if (error) return settle(error);
      if (!message || message.data.length === 0) return;
      if (got + message.data.length > data.length) return settle(new Error(`more than ${info.size} bytes came`));
      data.set(message.data, got);
      got += message.data.length;
      if (got === data.length) settle();
      else awaitNext();
    });
    try {
      const subscription = await this.#js.subscribe(`$O.${this.bucket}.C.${info.nuid}`, options);
      try {
        await all;
      } finally {
        subscription.unsubscribe();
      }
    } finally {
      cancelStall();
      settle();
    }
    return data;
  }

  async has(name: string): Promise<boolean> {
    return this.#run(name, async () => (await readMeta(this.#js, this.bucket, name)) !== undefined);
  }

  async delete(name: string): Promise<void> {
    await this.#run(name, async () => {
      const meta = await readMeta(this.#js, this.bucket, name);
      if (!meta) return;
      await writeMeta(this.#js, { ...meta, deleted: true, size: 0, chunks: 0, digest: '' });
      await this.#dropChunks(meta.nuid);
    });
  }

  async list(): Promise<{ name: string; bytes: number }[]> {
    return this.#run('list', async () => {
      const infos = await this.#store.list();
      return infos.filter(info => !info.deleted).map(info => ({ name: info.name, bytes: info.size }));
    });
  }

  async #run<T>(what: string, operate: () => Promise<T>): Promise<T> {
    this.#bus.assertStorage(`object store ${this.bucket}, ${what}`);
    try {
      return await this.#bus.whileConnected(what, operate);
    } catch (error) {
      throw storageFailure(error, this.bucket, what);
    }
  }
}
