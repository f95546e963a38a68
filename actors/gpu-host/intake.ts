import { InvalidMessageError, type Alarm, type Payload, type Payloads } from '../../contracts/index.ts';
import type { LoadedModel } from '../../gpu-host/index.ts';
import type { Batch } from './batch.ts';
import type { Desk } from './desk.ts';
import { EarlyPayloads } from './early.ts';
import type { Held } from './held.ts';
import type { PastBatches } from './past.ts';
import { payloadBytes } from './size.ts';

export interface IntakeSettings {
  /** Payloads and prepared inputs of all batches, early ones too. */
  readonly heldBytesMax: number;
  /** Payloads whose outline has not come. */
  readonly early: { readonly holdMs: number; readonly bytesMax: number };
}

export interface IntakePorts {
  nowMs(): number;
  alarm(fn: () => void): Alarm;
  usable(model: string): { loaded: LoadedModel } | undefined;
  batch(id: string): Batch | undefined;
  /** The last input of a batch was settled meanwhile. */
  ready(): void;
}

/** Takes payloads in: finds the batch that waits for them, prepares them at once, or says that nobody needs them. */
export class Intake {
  /** Payloads for an invocation that needs none any more, since start. */
  useless = 0;
  readonly #settings: IntakeSettings;
  readonly #ports: IntakePorts;
  readonly #parts: { readonly held: Held; readonly desk: Desk; readonly past: PastBatches };
  readonly #early: EarlyPayloads;
  readonly #expiry: Alarm;

  constructor(
    settings: IntakeSettings,
    ports: IntakePorts,
    parts: { readonly held: Held; readonly desk: Desk; readonly past: PastBatches },
  ) {
    this.#settings = settings;
    this.#ports = ports;
    this.#parts = parts;
    this.#early = new EarlyPayloads(settings.early);
    this.#expiry = ports.alarm(() => {
      for (const message of this.#early.expire(ports.nowMs())) this.#refuseUnknown(message);
      this.#armExpiry();
    });
  }

  get heldBytes(): number {
    return this.#parts.held.bytes + this.#early.bytes;
  }

  /** @throws InvalidMessageError when its columns don't fit together */
  receive(message: Payloads, bytes: number): void {
    if (message.payloads.length !== message.ids.length) {
      const detail = `has ${message.payloads.length} entries, /ids has ${message.ids.length}`;
      throw new InvalidMessageError({ where: 'payloads', path: '/payloads', detail });
    }
    const batch = this.#ports.batch(message.batch);
    if (batch && !batch.closed) this.#feed(batch, message);
    else if (this.#parts.past.has(message.batch)) this.#refuseLate(message);
    else if (this.#early.hold(message, bytes, this.#ports.nowMs())) this.#armExpiry();
    else this.#refuseUnknown(message);
  }

  /** An outline came: so does what was held for it. */
  outlined(batch: Batch): void {
    for (const message of this.#early.take(batch.id)) this.#feed(batch, message);
  }

  /** A batch was refused: what was held for it is not needed. */
  forget(batch: string): void {
    this.#early.take(batch);
  }

  #feed(batch: Batch, message: Payloads): void {
    const { router, ids, absent, payloads } = message;
    for (const id of absent) {
      const item = batch.find(router, id);
      if (item >= 0 && batch.states[item] === 'awaited') batch.settle(item, 'absent', this.#ports.nowMs());
    }
    let refused: number[] | undefined;
    let model: { readonly id: string; readonly loaded: LoadedModel | undefined } | undefined;
    for (let i = 0; i < ids.length; i++) {
      const item = batch.find(router, ids[i]!);
      if (item < 0 || batch.states[item] !== 'awaited') {
        this.useless++;
        continue;
      }
      const id = batch.modelOf(item);
      if (model?.id !== id) model = { id, loaded: this.#ports.usable(id)?.loaded };
      if (!this.#prepare(batch, item, payloads[i]!, model.loaded)) (refused ??= []).push(item);
    }
    if (refused) this.#parts.desk.answer(batch, refused, () => ({ is: 'refused', reason: 'overloaded' }));
  }

  /** Begins to prepare a payload. False when there is no room for it. */
  #prepare(batch: Batch, item: number, payload: Payload, model: LoadedModel | undefined): boolean {
    const bytes = payloadBytes(payload);
    if (!model || this.heldBytes + bytes > this.#settings.heldBytesMax) return false;
    const preparing = model.prepare(payload);
    if (!(preparing instanceof Promise)) {
      batch.prepared[item] = preparing;
      this.#settle(batch, item, 'prepared');
      return true;
    }
    batch.enter(item, 'preparing');
    this.#parts.held.set(batch, item, bytes);
    preparing.then(
      prepared => {
        batch.prepared[item] = prepared;
        this.#prepared(batch, item, 'prepared');
      },
      error => {
        (batch.errors ??= new Map()).set(item, error);
        this.#prepared(batch, item, 'failed');
      },
    );
    return true;
  }

  #prepared(batch: Batch, item: number, state: 'prepared' | 'failed'): void {
    if (this.#settle(batch, item, state) && batch.unsettled === 0) this.#ports.ready();
  }

  /** False when nobody needs it any more. */
  #settle(batch: Batch, item: number, state: 'prepared' | 'failed'): boolean {
    const needed = batch.settle(item, state, this.#ports.nowMs());
    if (!needed) batch.prepared[item] = undefined;
    this.#parts.held.set(batch, item, batch.prepared[item]?.bytes ?? 0);
    return needed;
  }

  /** The batch started without these, or they were answered. */
  #refuseLate(message: Payloads): void {
    this.#parts.desk.refuse(message, id => {
      const model = this.#parts.past.takeMissing(message.batch, message.router, id);
      if (model === undefined) this.useless++;
      return model;
    });
  }

  /** The outline never came, or there is no room to wait for it: nobody knows the model. */
  #refuseUnknown(message: Payloads): void {
    this.#parts.desk.refuse(message, () => '');
  }

  #armExpiry(): void {
    const { expiryMs } = this.#early;
    if (expiryMs === undefined) this.#expiry.clear();
    else this.#expiry.set(Math.max(0, expiryMs - this.#ports.nowMs()));
  }
}
