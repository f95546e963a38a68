import { StorageType, type KV } from 'nats';
import { isBucketGone, isBucketTaken, storageFailure } from './errors.ts';
import type { NatsBus } from './client.ts';

export interface BucketOptions {
  readonly history?: number;
  readonly memory?: boolean;
}

/** A bucket on the server: opened, made when it isn't there, and made again when it has vanished (in memory, server restarted). */
export class NatsBucket {
  readonly name: string;
  readonly bus: NatsBus;
  readonly #options: BucketOptions;
  #kv: KV | undefined;

  constructor(bus: NatsBus, name: string, options: BucketOptions) {
    this.bus = bus;
    this.name = name;
    this.#options = options;
  }

  /** @throws StorageUnavailableError */
  async open(): Promise<KV> {
    this.bus.assertStorage(`bucket ${this.name}`);
    const { history = 1, memory = false } = this.#options;
    const js = this.bus.nc.jetstream({ timeout: this.bus.storageTimeoutMs });
    const view = async (): Promise<KV> =>
      js.views.kv(this.name, {
        history,
        storage: memory ? StorageType.Memory : StorageType.File,
        timeout: this.bus.storageTimeoutMs,
      });
    try {
      this.#kv = await view().catch(async error => {
        if (!isBucketTaken(error)) throw error;
        return view();
      });
      return this.#kv;
    } catch (error) {
      throw storageFailure(error, this.name, 'open');
    }
  }

  /** One operation. @throws ConflictError, StorageUnavailableError */
  async run<T>(what: string, operate: (kv: KV) => Promise<T>): Promise<T> {
    this.bus.assertStorage(`${this.name}, ${what}`);
    const kv = this.#kv ?? (await this.open());
    try {
      return await this.bus.whileConnected(what, async () => operate(kv));
    } catch (error) {
      if (!isBucketGone(error)) throw storageFailure(error, this.name, what);
    }
    // Nothing was written: the bucket is made anew, or that fails and says why.
    const again = await this.open();
    try {
      return await this.bus.whileConnected(what, async () => operate(again));
    } catch (error) {
      throw storageFailure(error, this.name, what);
    }
  }

  /** When the bucket was made: revisions of one that was made again begin anew. */
  async identity(): Promise<string> {
    const kv = await this.open();
    const { streamInfo } = await kv.status();
    return streamInfo.created;
  }
}
