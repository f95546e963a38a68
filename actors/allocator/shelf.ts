import { decodeJson, encodeJson } from '../../bus/index.ts';
import {
  BUCKETS,
  ConflictError,
  describeError,
  Plan,
  validator,
  type KeyValue,
  type Log,
} from '../../contracts/index.ts';

const isPlan = validator(Plan);
const CURRENT = 'current';
const TRIES_MAX = 3;

export interface ShelfPorts {
  readonly log: Log;
  keyValue(bucket: string): Promise<KeyValue>;
}

/** The plan in force and the wishes about hosts, in the bucket `plan`. */
export class Shelf {
  readonly #ports: ShelfPorts;

  constructor(ports: ShelfPorts) {
    this.#ports = ports;
  }

  /** Undefined where there is none, it is malformed, or storage is away. */
  async read(): Promise<Plan | undefined> {
    try {
      return parse(await (await this.#bucket()).get(CURRENT));
    } catch (error) {
      this.#ports.log.warn('the current plan could not be read', { error: describeError(error) });
      return undefined;
    }
  }

  /**
   * Stores a plan over any of a lower epoch.
   * @returns `outdated` when a plan of the same or a higher epoch by another leader is there; `away` when storage is
   */
  async write(plan: Plan): Promise<'stored' | 'outdated' | 'away'> {
    try {
      const bucket = await this.#bucket();
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const entry = await bucket.get(CURRENT);
        const there = parse(entry);
        if (there && there.nonce !== plan.nonce && there.epoch >= plan.epoch) return 'outdated';
        if (there && there.nonce === plan.nonce && there.epoch > plan.epoch) return 'stored';
        try {
          if (entry) await bucket.update(CURRENT, encodeJson(plan), entry.revision);
          else await bucket.create(CURRENT, encodeJson(plan));
          return 'stored';
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
      }
      return 'outdated';
    } catch (error) {
      this.#ports.log.warn('the plan could not be stored: it is in force all the same', {
        epoch: plan.epoch,
        error: describeError(error),
      });
      return 'away';
    }
  }

  /** Remembers for later leaders that the host should go. @throws StorageUnavailableError */
  async wish(host: string): Promise<void> {
    await (await this.#bucket()).put(`hosts.${host}`, encodeJson({ v: 1, wish: 'drain' }));
  }

  /** @throws StorageUnavailableError */
  async fulfilled(host: string): Promise<void> {
    await (await this.#bucket()).delete(`hosts.${host}`);
  }

  #bucket(): Promise<KeyValue> {
    return this.#ports.keyValue(BUCKETS.plan);
  }
}

function parse(entry: { readonly value: Uint8Array | undefined } | undefined): Plan | undefined {
  if (!entry?.value) return undefined;
  try {
    const plan = decodeJson(entry.value);
    return isPlan.accepts(plan) ? plan : undefined;
  } catch {
    return undefined;
  }
}
