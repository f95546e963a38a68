import { decodeJson, encodeJson } from '../../bus/index.ts';
import {
  ConflictError,
  describeError,
  type Clock,
  type KeyValue,
  type KeyValueEntry,
  type Log,
} from '../../contracts/index.ts';

/** A leader that can't renew gives up this share of the lease time before a standby may take it. */
const GIVE_UP_SHARE = 0.8;
const KEY = 'leader';
/** So many epochs are claimed at a time: as many plans can be made while storage is away. */
const EPOCHS = 1000;

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
  /** The highest epoch that anybody was heard of naming. */
  heardEpoch(): number;
  won(nonce: string): void;
  lost(reason: string): void;
  /** {@link Lease.nextEpoch} has more to give. */
  claimed(): void;
}

/** What the key holds. */
interface Holder {
  /** Empty: it was given back. */
  readonly nonce: string;
  /** Epochs up to this belong to those who have led so far. */
  readonly claimed: number;
}

/**
 * Leadership as a key that its holder keeps changing by compare-and-set. A standby takes it when the revision hasn't
 * changed for `leaseMs` on its own clock: no clocks are compared. While storage is away for all, nobody can take it,
 * and the leader leads on; one that is cut off from the bus steps down before others may take the lease. The write that takes the
 * lease also claims the epochs that this leader may name, above all that were claimed before: whoever else believes that he leads
 * has others. (docs/adr/0004-epochs-are-claimed.md)
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
  /** Epochs in (given, claimed] are this leader's to name. */
  #given = 0;
  #claimed = 0;
  /** The next renewal claims more above this. */
  #claimAbove: number | undefined;

  constructor(ports: LeasePorts) {
    this.#ports = ports;
    this.#changedAtMs = ports.clock.nowMs();
  }

  get leads(): boolean {
    return this.#nonce !== undefined;
  }

  /** An epoch above `epoch` and all given before, which no other leader has. Undefined: it must be claimed first; {@link LeasePorts.claimed} follows. */
  nextEpoch(epoch: number): number | undefined {
    if (this.#nonce === undefined) return undefined;
    const next = Math.max(epoch, this.#given) + 1;
    if (this.#claimed - next < EPOCHS / 2) this.#claimAbove = Math.max(next, this.#claimed);
    if (next > this.#claimed) {
      void this.tick();
      return undefined;
    }
    this.#given = next;
    return next;
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

  /** Gives leadership back so that a standby need not wait, and the epochs that were not named. */
  async release(): Promise<void> {
    this.#over = true;
    if (this.#nonce === undefined) return;
    this.#nonce = undefined;
    try {
      await (await this.#ports.bucket()).update(KEY, this.#value('', this.#given), this.#revision);
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
    const holder = holderOf(entry);
    if (entry && holder?.nonce !== '') {
      if (revision !== this.#revision) {
        this.#revision = revision;
        this.#changedAtMs = now;
        return;
      }
      if (now - this.#changedAtMs < leaseMs) return;
    }
    const nonce = this.#ports.newNonce();
    // A store that lost what it acknowledged may have lost claims, too.
    const given = Math.max(holder?.claimed ?? 0, this.#ports.heardEpoch());
    const claimed = given + EPOCHS;
    const value = this.#value(nonce, claimed);
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
    [this.#given, this.#claimed, this.#claimAbove] = [given, claimed, undefined];
    this.#ports.won(nonce);
  }

  async #renew(bucket: KeyValue, nonce: string): Promise<void> {
    const startedMs = this.#ports.clock.nowMs();
    const entry = await bucket.get(KEY);
    if (this.#nonce !== nonce) return;
    // A store that lost what it acknowledged gives revisions out again: that it is this leader's write, the nonce tells.
    if (entry && entry.revision >= this.#revision && holderOf(entry)?.nonce !== nonce)
      return this.#stepDown('another allocator took the lease', entry.revision);
    const claimed = this.#claimAbove === undefined ? this.#claimed : this.#claimAbove + EPOCHS;
    const value = this.#value(nonce, claimed);
    try {
      this.#revision = entry
        ? await bucket.update(KEY, value, Math.max(entry.revision, this.#revision))
        : await bucket.create(KEY, value);
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      // A write of ours whose answer was lost looks the same; or the entry read was not the latest.
      const there = await bucket.get(KEY);
      if (this.#nonce !== nonce) return;
      if (holderOf(there)?.nonce === nonce) this.#revision = there!.revision;
      else if (there) this.#stepDown('another allocator took the lease', there.revision);
      return;
    }
    this.#renewedAtMs = startedMs;
    if (claimed === this.#claimed) return;
    [this.#claimed, this.#claimAbove] = [claimed, undefined];
    this.#ports.claimed();
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

  #value(nonce: string, claimed: number): Uint8Array {
    return encodeJson({ v: 1, allocator: this.#ports.id, nonce, claimed });
  }
}

/** Undefined: there is no entry, or it can't be read. */
function holderOf(entry: KeyValueEntry | undefined): Holder | undefined {
  if (!entry?.value) return undefined;
  try {
    const { nonce, claimed } = decodeJson(entry.value) as Partial<Holder>;
    if (typeof nonce !== 'string') return undefined;
    return { nonce, claimed: Number.isSafeInteger(claimed) ? claimed! : 0 };
  } catch {
    return undefined;
  }
}
