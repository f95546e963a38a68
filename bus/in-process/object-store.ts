import type { ObjectStore } from '../../contracts/index.ts';
import type { Storage, StorageUser } from './storage.ts';

/** Objects are copied on the way in and on the way out. */
export class LocalObjectStore implements ObjectStore {
  readonly bucket: string;
  readonly #objects: Map<string, Uint8Array>;
  readonly #storage: Storage;
  readonly #user: StorageUser;

  constructor(bucket: string, objects: Map<string, Uint8Array>, storage: Storage, user: StorageUser) {
    this.bucket = bucket;
    this.#objects = objects;
    this.#storage = storage;
    this.#user = user;
  }

  async put(name: string, data: Uint8Array): Promise<void> {
    const copy = new Uint8Array(data);
    await this.#run(name, () => this.#objects.set(name, copy));
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    return this.#run(name, () => {
      const data = this.#objects.get(name);
      return data && new Uint8Array(data);
    });
  }

  async has(name: string): Promise<boolean> {
    return this.#run(name, () => this.#objects.has(name));
  }

  async delete(name: string): Promise<void> {
    await this.#run(name, () => this.#objects.delete(name));
  }

  async list(): Promise<{ name: string; bytes: number }[]> {
    return this.#run('list', () => [...this.#objects].map(([name, data]) => ({ name, bytes: data.byteLength })));
  }

  async #run<T>(what: string, operate: () => T): Promise<T> {
    return this.#storage.run(this.#user, `object store ${this.bucket}, ${what}`, operate);
  }
}
