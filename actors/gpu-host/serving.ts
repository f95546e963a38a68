import {
  InvalidMessageError,
  type Answer,
  type Cancel,
  type Outline,
  type Payload,
  type Payloads,
  type Progress,
} from '../../contracts/index.ts';
import type { LoadedModel } from '../../gpu-host/index.ts';
import type { AnswersHead, Reply } from './answers.ts';
import { openBatch, settle, type Batch, type Item } from './batch.ts';
import { EarlyPayloads } from './early.ts';
import { PastBatches } from './past.ts';
import { nextStep } from './queue.ts';
import { failureOf, outcomeOf, partsOf, type Part } from './run.ts';
import { payloadBytes } from './size.ts';

export type Refusal = Extract<Answer, { is: 'refused' }>['reason'];

export interface ServingSettings {
  /** Batches granted and not finished. */
  readonly batchesMax: number;
  /** Payloads and prepared inputs of all batches. */
  readonly heldBytesMax: number;
  readonly early: { readonly holdMs: number; readonly bytesMax: number };
  /** So long before the device is expected to be free it is handed the next batch. */
  readonly handOverMs: number;
}

export interface ServingPorts {
  nowMs(): number;
  after(delayMs: number, fn: () => void): Cancel;
  /** The model, if batches may run on it now. */
  usable(model: string): { loaded: LoadedModel; batchMax: number } | undefined;
  /** Why nothing new is accepted, if so. */
  refusal(): Refusal | undefined;
  answer(head: Omit<AnswersHead, 'host' | 'emulated'>, replies: readonly Reply[]): void;
  progress(batcher: string, message: Omit<Progress, 'v' | 'host'>): void;
  /** A batch has ended: its models may be idle, and perhaps nothing is left to do. */
  ended(batch: Batch): void;
  deviceLost(error: Error): void;
}

/** A batch in the device, or handed over to follow the one that is. */
interface Run {
  readonly batch: Batch;
  readonly items: readonly Item[];
  /** When the device began with it; undefined while it waits behind another. */
  startedMs: number | undefined;
}

/** Sums of milliseconds are not exact: a batch that just fits must not be dropped for that. */
const ROUNDING_MS = 0.001;
const NEVER = Number.POSITIVE_INFINITY;

/** Counts since start. */
export interface ServingCounts {
  batches: number;
  invocations: number;
  refused: number;
  dropped: number;
  failed: number;
  busyMs: number;
  /** Outlines for a batch that is known already. */
  duplicateOutlines: number;
  /** Payloads for an invocation that needs none any more. */
  uselessPayloads: number;
}

/** The way of a batch through the host: outline and payloads in, device, answers out (docs/protocol.md, 5 and 6). */
export class Serving {
  readonly counts: ServingCounts = {
    batches: 0,
    invocations: 0,
    refused: 0,
    dropped: 0,
    failed: 0,
    busyMs: 0,
    duplicateOutlines: 0,
    uselessPayloads: 0,
  };
  readonly #settings: ServingSettings;
  readonly #ports: ServingPorts;
  readonly #early: EarlyPayloads;
  readonly #past = new PastBatches();
  readonly #batches = new Map<string, Batch>();
  /** In the order of their outlines. */
  readonly #queue: Batch[] = [];
  /** At most two: the one in the device and the next. */
  readonly #runs: Run[] = [];
  #heldBytes = 0;
  #cancelWake: Cancel = () => {};
  #cancelExpiry: Cancel = () => {};

  constructor(settings: ServingSettings, ports: ServingPorts) {
    this.#settings = settings;
    this.#ports = ports;
    this.#early = new EarlyPayloads(settings.early);
  }

  /** Batches granted and not finished. */
  get backlog(): number {
    return this.#batches.size;
  }

  /** Memory that payloads and prepared inputs take. */
  get heldBytes(): number {
    return this.#heldBytes + this.#early.bytes;
  }

  batchesOf(model: string): number {
    let count = 0;
    for (const batch of this.#batches.values()) if (batch.models.includes(model)) count++;
    return count;
  }

  /** Until the device is free of all that it was granted. */
  freeInMs(): number {
    const nowMs = this.#ports.nowMs();
    return this.#queue.reduce((sum, batch) => sum + batch.expectedMs, this.#deviceFreeMs(nowMs) - nowMs);
  }

  /** @throws InvalidMessageError */
  outline(outline: Outline): void {
    if (this.#batches.has(outline.batch) || this.#past.has(outline.batch)) {
      this.counts.duplicateOutlines++;
      return;
    }
    const batch = openBatch(outline, this.#ports.nowMs());
    const refusal = this.#refusalOf(batch);
    if (refusal) {
      this.#early.take(batch.id);
      this.#refuse(batch, refusal);
      return;
    }
    this.#batches.set(batch.id, batch);
    this.#queue.push(batch);
    for (const message of this.#early.take(batch.id)) this.#feed(batch, message);
    this.pump();
  }

  /** @throws InvalidMessageError */
  payloads(message: Payloads, bytes: number): void {
    if (message.payloads.length !== message.ids.length) {
      const detail = `has ${message.payloads.length} entries, /ids has ${message.ids.length}`;
      throw new InvalidMessageError({ where: 'payloads', path: '/payloads', detail });
    }
    const batch = this.#batches.get(message.batch);
    if (batch) this.#feed(batch, message);
    else if (this.#past.has(message.batch)) this.#refuseLate(message);
    else if (this.#early.hold(message, bytes, this.#ports.nowMs())) this.#armExpiry();
    else this.#refuseUnknown(message);
    this.pump();
  }

  /** Starts what can start, and looks again when that may change. */
  pump(): void {
    this.#cancelWake();
    this.#cancelWake = () => {};
    for (;;) {
      const nowMs = this.#ports.nowMs();
      const handOverMs = this.#handOverMs(nowMs);
      if (handOverMs > nowMs) {
        if (handOverMs < NEVER && this.#queue.length > 0) this.#wake(handOverMs);
        return;
      }
      const step = nextStep(this.#queue, nowMs);
      if (step.start === undefined) {
        if (step.wakeMs !== undefined) this.#wake(step.wakeMs);
        return;
      }
      const [batch] = this.#queue.splice(step.start, 1);
      this.#start(batch!);
    }
  }

  /** Gives up all that was granted: each invocation without an answer is refused. */
  refuseAll(reason: Refusal): void {
    this.#queue.length = 0;
    this.#runs.length = 0;
    for (const batch of this.#batches.values()) this.#refuse(batch, reason);
  }

  // ── Payloads ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #feed(batch: Batch, message: Payloads): void {
    const nowMs = this.#ports.nowMs();
    const refused: Item[] = [];
    for (const id of message.absent) {
      const item = batch.find(message.router, id);
      if (item?.state === 'awaited') settle(batch, item, 'absent', nowMs);
    }
    for (const [i, id] of message.ids.entries()) {
      const item = batch.find(message.router, id);
      if (item?.state !== 'awaited') this.counts.uselessPayloads++;
      else if (!this.#receive(batch, item, message.payloads[i]!)) refused.push(item);
    }
    this.#answer(batch, refused, () => ({ is: 'refused', reason: 'overloaded' }));
  }

  /** Begins to prepare a payload. False when there is no room for it. */
  #receive(batch: Batch, item: Item, payload: Payload): boolean {
    const model = this.#ports.usable(item.model);
    if (!model || this.heldBytes + payloadBytes(payload) > this.#settings.heldBytesMax) {
      settle(batch, item, 'failed', this.#ports.nowMs());
      return false;
    }
    item.state = 'preparing';
    this.#hold(item, payloadBytes(payload));
    model.loaded.prepare(payload).then(
      prepared => {
        item.prepared = prepared;
        this.#prepared(batch, item, 'prepared');
      },
      error => {
        item.error = error;
        this.#prepared(batch, item, 'failed');
      },
    );
    return true;
  }

  #prepared(batch: Batch, item: Item, state: 'prepared' | 'failed'): void {
    const settled = settle(batch, item, state, this.#ports.nowMs());
    this.#hold(item, settled ? (item.prepared?.bytes ?? 0) : 0);
    if (settled) this.pump();
    else item.prepared = undefined;
  }

  #hold(item: Item, bytes: number): void {
    this.#heldBytes += bytes - item.heldBytes;
    item.heldBytes = bytes;
  }

  // ── Device ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** When the device is expected to be free of what it was handed. */
  #deviceFreeMs(nowMs: number): number {
    let freeMs = nowMs;
    for (const { batch, startedMs } of this.#runs) {
      freeMs = Math.max(nowMs, (startedMs ?? freeMs) + batch.expectedMs);
    }
    return freeMs;
  }

  /** From when on the device may be handed a batch. */
  #handOverMs(nowMs: number): number {
    if (this.#runs.length === 0) return nowMs;
    if (this.#runs.length > 1) return NEVER;
    return Math.max(nowMs, this.#deviceFreeMs(nowMs) - this.#settings.handOverMs);
  }

  #wake(atMs: number): void {
    this.#cancelWake();
    this.#cancelWake = this.#ports.after(Math.max(0, atMs - this.#ports.nowMs()), () => this.pump());
  }

  /** Answers what can't run, hands the rest to the device. */
  #start(batch: Batch): void {
    const nowMs = this.#ports.nowMs();
    const startMs = this.#deviceFreeMs(nowMs);
    batch.filledMs ??= nowMs;
    const inTime = (item: Item): boolean => startMs + batch.expectedMs <= item.deadlineMs + ROUNDING_MS;
    const prepared = batch.items.filter(item => item.state === 'prepared');
    const items = prepared.filter(inTime);
    const unable = batch.items.filter(item => item.state === 'failed' || item.state === 'preparing');
    const late = prepared.filter(item => !inTime(item));
    this.#past.add(batch, nowMs);
    this.#answer(batch, [...unable, ...late], whyNot);
    if (items.length === 0) {
      this.#finish(batch, 0, 0);
      return;
    }
    const run: Run = { batch, items, startedMs: undefined };
    this.#runs.push(run);
    const parts = partsOf(items, model => this.#ports.usable(model));
    const results = parts.map(async part => part.loaded.run(part.items.map(item => item.prepared!)));
    if (this.#runs[0] === run) this.#begin(run);
    void Promise.allSettled(results).then(settled => this.#ran(run, parts, settled));
  }

  #begin(run: Run): void {
    run.startedMs = this.#ports.nowMs();
    this.#progress(run.batch, 'started', run.items.length, 0);
  }

  #ran(run: Run, parts: readonly Part[], settled: Parameters<typeof outcomeOf>[1]): void {
    const at = this.#runs.indexOf(run);
    if (at < 0) return; // given up meanwhile
    const { batch, items } = run;
    const { runMs, answers, lost } = outcomeOf(parts, settled);
    this.#runs.splice(at, 1);
    this.counts.batches++;
    this.counts.invocations += items.length;
    this.counts.busyMs += runMs;
    this.#finish(batch, items.length, runMs);
    // The device comes first: the answers are written while it runs the next batch.
    const [next] = this.#runs;
    if (next && next.startedMs === undefined) this.#begin(next);
    this.pump();
    const startedMs = run.startedMs ?? this.#ports.nowMs();
    this.#answer(batch, items, item => answers.get(item)!, { size: items.length, startedMs, runMs });
    this.#ports.ended(batch);
    if (lost) this.#ports.deviceLost(lost);
  }

  // ── Answers ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #answer(
    batch: Batch,
    items: readonly Item[],
    answerOf: (item: Item) => Answer,
    run?: { size: number; startedMs: number; runMs: number },
  ): void {
    if (items.length === 0) return;
    const nowMs = this.#ports.nowMs();
    const replies = items.map((item): Reply => {
      const answer = answerOf(item);
      this.#count(answer);
      return {
        router: item.router,
        id: item.id,
        model: item.model,
        answer,
        transferMs: item.settledMs - batch.outlinedMs,
        waitMs: Math.max(0, (run?.startedMs ?? nowMs) - item.settledMs),
      };
    });
    for (const item of items) {
      if (item.state !== 'preparing') this.#hold(item, 0);
      if (item.state === 'awaited' || item.state === 'preparing') batch.unsettled--;
      item.state = 'closed';
      item.prepared = undefined;
    }
    const sinceRunMs = run ? Math.max(0, nowMs - run.startedMs - run.runMs) : 0;
    this.#ports.answer({ batch: batch.id, size: run?.size ?? 0, runMs: run?.runMs ?? 0, sinceRunMs }, replies);
  }

  #count(answer: Answer): void {
    if (answer.is === 'refused') this.counts.refused++;
    else if (answer.is === 'dropped') this.counts.dropped++;
    else if (answer.is === 'failed') this.counts.failed++;
  }

  #finish(batch: Batch, size: number, runMs: number): void {
    this.#batches.delete(batch.id);
    this.#progress(batch, 'finished', size, runMs);
    if (size === 0) this.#ports.ended(batch);
  }

  #progress(batch: Batch, phase: Progress['phase'], size: number, runMs: number): void {
    this.#ports.progress(batch.batcher, {
      batch: batch.id,
      phase,
      size,
      fillMs: Math.max(0, (batch.filledMs ?? this.#ports.nowMs()) - batch.outlinedMs),
      runMs,
      freeInMs: this.freeInMs(),
      backlog: this.backlog,
    });
  }

  // ── Refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #refusalOf(batch: Batch): Refusal | undefined {
    const refusal = this.#ports.refusal();
    if (refusal) return refusal;
    if (!batch.models.every(model => this.#ports.usable(model))) return 'not-resident';
    if (this.#batches.size >= this.#settings.batchesMax) return 'overloaded';
    return undefined;
  }

  #refuse(batch: Batch, reason: Refusal): void {
    const known = this.#batches.delete(batch.id);
    const items = batch.items.filter(item => item.state !== 'closed' && item.state !== 'absent');
    this.#answer(batch, items, () => ({ is: 'refused', reason }));
    this.#past.add(batch, this.#ports.nowMs());
    this.#progress(batch, 'refused', batch.items.length, 0);
    if (known) this.#ports.ended(batch);
  }

  /** The batch started without these. */
  #refuseLate(message: Payloads): void {
    const replies = message.ids.flatMap(id => {
      const model = this.#past.takeMissing(message.batch, message.router, id);
      if (model === undefined) this.counts.uselessPayloads++;
      return model === undefined ? [] : [refusedReply(message.router, id, model)];
    });
    this.#refuseReplies(message.batch, replies);
  }

  /** The outline never came, or there is no room to wait for it. */
  #refuseUnknown(message: Payloads): void {
    this.#refuseReplies(
      message.batch,
      message.ids.map(id => refusedReply(message.router, id, '')),
    );
  }

  #refuseReplies(batch: string, replies: readonly Reply[]): void {
    if (replies.length === 0) return;
    this.counts.refused += replies.length;
    this.#ports.answer({ batch, size: 0, runMs: 0, sinceRunMs: 0 }, replies);
  }

  #armExpiry(): void {
    this.#cancelExpiry();
    const { expiryMs } = this.#early;
    if (expiryMs === undefined) return;
    this.#cancelExpiry = this.#ports.after(Math.max(0, expiryMs - this.#ports.nowMs()), () => {
      for (const message of this.#early.expire(this.#ports.nowMs())) this.#refuseUnknown(message);
      this.#armExpiry();
    });
  }
}

/** Why an invocation does not run: its input is bad, was not prepared in time, or its answer would be late. */
function whyNot(item: Item): Answer {
  if (item.state === 'failed') return failureOf(item.error, 'internal');
  return item.state === 'preparing' ? { is: 'refused', reason: 'overloaded' } : { is: 'dropped', reason: 'deadline' };
}

const refusedReply = (router: string, id: number, model: string): Reply => ({
  router,
  id,
  model,
  answer: { is: 'refused', reason: 'overloaded' },
  transferMs: 0,
  waitMs: 0,
});
