import { decodeJson, encodeJson } from '../../bus/index.ts';
import { ConflictError, describeError, type Clock, type KeyValue, type Log } from '../../contracts/index.ts';

/** A leader that can't renew gives up this share of the lease time before a standby may take it. */
const GIVE_UP_SHARE = 0.8;
const KEY = 'leader';

export interface LeasePorts {
  readonly id: string;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Opens the bucket. @throws StorageUnavailableError */
  bucket(): Promise<KeyValue>;
  newNonce(): string;
  /** Whether messages come through, as far as can be told. */
  reachable(): boolean;
  won(nonce: string): void;
  lost(reason: string): void;
}

/**
 * Leadership as a key that its holder keeps changing by compare-and-set. A standby takes it when the revision hasn't
 * changed for `leaseMs` on its own clock: no clocks are compared. While storage is away for all, nobody can take it,
 * and the leader leads on; one that is cut off from the bus steps down before others may take the lease. Plans are
 * fenced by (epoch, nonce) besides.
 */
export class Lease {
  readonly #ports: LeasePorts;
  #nonce: string | undefined;
  /** Of the key, as last seen or written. */
  #revision = 0;
  #changedAtMs: number;
  #renewedAtMs = 0;
  #busy = false;
  #over = false;
  /** The latest attempt to reach the key failed. */
  #away = false;

  constructor(ports: LeasePorts) {
    this.#ports = ports;
    this.#changedAtMs = ports.clock.nowMs();
  }

  get leads(): boolean {
    return this.#nonce !== undefined;
  }

  /** Renews, watches or takes over; to be called a few times per `leaseMs`. Never throws. */
  async tick(): Promise<void> {
    if (this.#busy || this.#over) return;
    this.#busy = true;
    try {
      const bucket = await this.#ports.bucket();
      if (this.#nonce === undefined) await this.#watch(bucket);
      else await this.#renew(bucket, this.#nonce);
      this.#away = false;
    } catch (error) {
      this.#unreachable(error);
    } finally {
      this.#busy = false;
    }
  }

  /** Gives leadership back so that a standby need not wait. */
  async release(): Promise<void> {
    this.#over = true;
    if (this.#nonce === undefined) return;
    this.#nonce = undefined;
    try {
      await (await this.#ports.bucket()).delete(KEY, this.#revision);
    } catch (error) {
      this.#ports.log.debug('the lease was not given back', { error: describeError(error) });
    }
  }

  /**
   * Another leader was heard: the key decides at once, or where it can't be read, the one leads who took the lease later or
   * whose plan is newer: storage may be away for this allocator alone.
   */
  doubt(rivalIsNewer = false): void {
    if (this.#away && rivalIsNewer && this.leads)
      this.#stepDown('another allocator leads, and the lease can not be read', this.#revision);
    else void this.tick();
  }

  async #watch(bucket: KeyValue): Promise<void> {
    const entry = await bucket.get(KEY);
    const { clock, leaseMs } = this.#ports;
    const now = clock.nowMs();
    const revision = entry?.revision ?? 0;
    if (entry && revision !== this.#revision) {
      this.#revision = revision;
      this.#changedAtMs = now;
      return;
    }
    if (entry && now - this.#changedAtMs < leaseMs) return;
    const nonce = this.#ports.newNonce();
    const value = this.#value(nonce);
    try {
      this.#revision = entry ? await bucket.update(KEY, value, revision) : await bucket.create(KEY, value);
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      this.#changedAtMs = now; // somebody else was quicker
      return;
    }
    if (this.#over) return;
    this.#nonce = nonce;
    this.#renewedAtMs = clock.nowMs();
    this.#ports.won(nonce);
  }

  async #renew(bucket: KeyValue, nonce: string): Promise<void> {
    try {
      const startedMs = this.#ports.clock.nowMs();
      this.#revision = await bucket.update(KEY, this.#value(nonce), this.#revision);
      this.#renewedAtMs = startedMs;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      // A write of ours whose answer was lost looks the same: the nonce tells.
      const entry = await bucket.get(KEY);
      if (entry?.value && nonceOf(entry.value) === nonce) this.#revision = entry.revision;
      else if (entry) this.#stepDown('another allocator took the lease', entry.revision);
      else this.#revision = await bucket.create(KEY, this.#value(nonce));
    }
  }

  #unreachable(error: unknown): void {
    const { clock, leaseMs, log } = this.#ports;
    const now = clock.nowMs();
    this.#away = true;
    // What was seen before storage went says nothing about who renews after it is back.
    this.#changedAtMs = now;
    log.debug('the lease can not be reached', { error: describeError(error) });
    if (this.#nonce === undefined || this.#ports.reachable()) return;
    if (now - this.#renewedAtMs >= GIVE_UP_SHARE * leaseMs) {
      this.#stepDown('cut off from the bus: the lease can not be renewed', this.#revision);
    }
  }

  #stepDown(reason: string, revision: number): void {
    this.#nonce = undefined;
    this.#revision = revision;
    this.#changedAtMs = this.#ports.clock.nowMs();
    this.#ports.lost(reason);
  }

  #value(nonce: string): Uint8Array {
    return encodeJson({ v: 1, allocator: this.#ports.id, nonce });
  }
}

function nonceOf(value: Uint8Array): string | undefined {
  try {
    return (decodeJson(value) as { nonce?: string }).nonce;
  } catch {
    return undefined;
  }
}
