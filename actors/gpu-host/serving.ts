import { cutOf, isPrefix, type Alarm, type Answer, type Outline, type Payloads } from '../../contracts/index.ts';
import { Batch, type ItemState } from './batch.ts';
import { Desk, type DeskCounts, type DeskPorts, type Refusal } from './desk.ts';
import { Held } from './held.ts';
import { Intake, type IntakeSettings } from './intake.ts';
import { PastBatches } from './past.ts';
import { nextStep } from './queue.ts';
import type { Usable } from './residents.ts';
import { failureOf, outcomeOf, partsOf, runAll, type Ended, type Part } from './run.ts';

export interface ServingSettings extends IntakeSettings {
  /** Batches granted and not finished. */
  readonly batchesMax: number;
  /** So long before the device is expected to be free it is handed the next batch. */
  readonly handOverMs: number;
}

export interface ServingPorts extends Omit<DeskPorts, 'freeInMs' | 'backlog'> {
  alarm(fn: () => void): Alarm;
  /** The model, if batches may run on it now. */
  usable(model: string): Usable | undefined;
  /** Why nothing new is accepted, if so. */
  refusal(): Refusal | undefined;
  /** A batch has ended: its models may be idle, and perhaps nothing is left to do. */
  ended(batch: Batch): void;
  deviceLost(error: Error): void;
}

/** A batch in the device, or handed over to follow the one that is. */
interface Run {
  readonly batch: Batch;
  /** What runs of it. */
  readonly items: readonly number[];
  /** When the device began with it; undefined while it waits behind another. */
  startedMs: number | undefined;
}

export interface ServingCounts {
  /** Run since start. */
  readonly batches: number;
  readonly invocations: number;
  readonly busyMs: number;
  /** Outlines of a batch that was known already. */
  readonly duplicateOutlines: number;
  readonly uselessPayloads: number;
}

/** Sums of milliseconds are not exact: a batch that just fits must not be dropped for that. */
const ROUNDING_MS = 0.001;
const NEVER = Number.POSITIVE_INFINITY;

/** The way of a batch through the host: outline and payloads in, device, answers out (docs/protocol.md, 5 and 6). */
export class Serving {
  readonly #settings: ServingSettings;
  readonly #ports: ServingPorts;
  readonly #held = new Held();
  readonly #past = new PastBatches();
  readonly #desk: Desk;
  readonly #intake: Intake;
  readonly #ran = { batches: 0, invocations: 0, busyMs: 0, duplicateOutlines: 0 };
  /** Granted and not finished: few. */
  readonly #batches: Batch[] = [];
  /** In the order of their outlines. */
  readonly #queue: Batch[] = [];
  /** At most two: the one in the device and the next. */
  readonly #runs: Run[] = [];
  readonly #wake: Alarm;
  /** When the queue is looked at again; Infinity: not by itself. */
  #wakeAtMs = Infinity;

  constructor(settings: ServingSettings, ports: ServingPorts) {
    this.#settings = settings;
    this.#ports = ports;
    this.#wake = ports.alarm(() => {
      this.#wakeAtMs = Infinity;
      this.#pump();
    });
    this.#desk = new Desk(
      {
        nowMs: () => ports.nowMs(),
        name: ports.name,
        answer: (router, message) => ports.answer(router, message),
        progress: (batcher, message) => ports.progress(batcher, message),
        freeInMs: () => this.freeInMs(),
        backlog: () => this.backlog,
      },
      this.#held,
    );
    this.#intake = new Intake(
      settings,
      {
        nowMs: () => ports.nowMs(),
        alarm: fn => ports.alarm(fn),
        usable: model => ports.usable(model),
        batch: id => this.#batch(id),
        ready: () => this.#pump(),
      },
      { held: this.#held, desk: this.#desk, past: this.#past },
    );
  }

  get counts(): ServingCounts & DeskCounts {
    const { batches, invocations, busyMs, duplicateOutlines } = this.#ran;
    const { refused, dropped, failed } = this.#desk.counts;
    const uselessPayloads = this.#intake.useless;
    return { batches, invocations, busyMs, duplicateOutlines, refused, dropped, failed, uselessPayloads };
  }

  /** Batches granted and not finished. */
  get backlog(): number {
    return this.#batches.length;
  }

  /** Memory that payloads and prepared inputs take. */
  get heldBytes(): number {
    return this.#intake.heldBytes;
  }

  /** Batches that need a model, or a part of one; a prefix is needed by those of its suffixes. */
  batchesOf(part: string): number {
    const cut = isPrefix(part) ? cutOf(part) : undefined;
    let count = 0;
    for (const { models } of this.#batches)
      if (models.some(model => model === part || (cut !== undefined && cutOf(model) === cut))) count++;
    return count;
  }

  /** Until the device is free of all that it was granted. */
  freeInMs(): number {
    const nowMs = this.#ports.nowMs();
    let freeInMs = this.#deviceFreeMs(nowMs) - nowMs;
    for (const { expectedMs } of this.#queue) freeInMs += expectedMs;
    return freeInMs;
  }

  /** @throws InvalidMessageError */
  outline(outline: Outline): void {
    if (this.#batch(outline.batch) || this.#past.has(outline.batch)) {
      this.#ran.duplicateOutlines++;
      return;
    }
    const batch = new Batch(outline, this.#ports.nowMs());
    const refusal = this.#refusalOf(batch);
    if (refusal) {
      this.#intake.forget(batch.id);
      this.#refuse(batch, refusal);
      return;
    }
    this.#batches.push(batch);
    this.#queue.push(batch);
    this.#intake.outlined(batch);
    this.#pump();
  }

  /** @throws InvalidMessageError */
  payloads(message: Payloads, bytes: number): void {
    this.#intake.receive(message, bytes);
    this.#pump();
  }

  /** Gives up all that was granted: each invocation without an answer is refused. */
  refuseAll(reason: Refusal): void {
    this.#queue.length = 0;
    this.#runs.length = 0;
    for (const batch of this.#batches.slice()) this.#refuse(batch, reason);
  }

  /** Starts what can start, and looks again when that may change. */
  #pump(): void {
    while (this.#queue.length > 0) {
      const nowMs = this.#ports.nowMs();
      const handOverMs = this.#handOverMs(nowMs);
      const step = handOverMs > nowMs ? { start: undefined, wakeMs: handOverMs } : nextStep(this.#queue, nowMs);
      if (step.start === undefined) {
        if (step.wakeMs !== undefined) this.#wakeAt(step.wakeMs);
        return;
      }
      const [batch] = this.#queue.splice(step.start, 1);
      this.#start(batch!);
    }
  }

  /** A look that comes too early does no harm, so that none is ever put off. */
  #wakeAt(timeMs: number): void {
    if (timeMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = timeMs;
    this.#wake.set(Math.max(0, timeMs - this.#ports.nowMs()));
  }

  /** When the device is expected to be free of what it was handed. */
  #deviceFreeMs(nowMs: number): number {
    let freeMs = nowMs;
    for (const { batch, startedMs } of this.#runs) {
      freeMs = Math.max(nowMs, (startedMs ?? freeMs) + batch.expectedMs);
    }
    return freeMs;
  }

  /** From when on the device may be handed a batch: when it is idle, or nearly, so that it has no gap. */
  #handOverMs(nowMs: number): number {
    if (this.#runs.length === 0) return nowMs;
    if (this.#runs.length > 1) return NEVER;
    return this.#deviceFreeMs(nowMs) - this.#settings.handOverMs;
  }

  /** Answers what can't run, hands the rest to the device. */
  #start(batch: Batch): void {
    const nowMs = this.#ports.nowMs();
    const endMs = this.#deviceFreeMs(nowMs) + batch.expectedMs;
    batch.filledMs ??= nowMs;
    batch.closed = true;
    const items: number[] = [];
    const others: number[] = [];
    for (let item = 0; item < batch.size; item++) {
      const state = batch.states[item]!;
      if (state === 'prepared' && endMs <= batch.deadlineMs(item) + ROUNDING_MS) items.push(item);
      else if (REPORTED.has(state)) others.push(item);
    }
    this.#past.add(batch, nowMs);
    this.#desk.answer(batch, others, item => whyNot(batch, item));
    if (items.length === 0) {
      this.#forget(batch);
      this.#desk.progress(batch, 'finished', { size: 0, runMs: 0 });
      this.#ports.ended(batch);
      return;
    }
    const run: Run = { batch, items, startedMs: undefined };
    const parts = partsOf(batch, items, model => this.#ports.usable(model));
    this.#runs.push(run);
    runAll(parts, ends => this.#end(run, parts, ends));
    if (this.#runs[0] === run) this.#begin(run);
  }

  #begin(run: Run): void {
    run.startedMs = this.#ports.nowMs();
    this.#desk.progress(run.batch, 'started', { size: run.items.length, runMs: 0 });
  }

  #end(run: Run, parts: readonly Part[], ends: readonly Ended[]): void {
    const at = this.#runs.indexOf(run);
    if (at < 0) return; // given up meanwhile
    const { batch, items } = run;
    const size = items.length;
    const { runMs, answers, lost } = outcomeOf(parts, ends);
    const startedMs = run.startedMs ?? this.#ports.nowMs();
    this.#runs.splice(at, 1);
    this.#forget(batch);
    this.#ran.batches++;
    this.#ran.invocations += size;
    this.#ran.busyMs += runMs;
    let wrong = 0;
    for (const said of answers) if (said.is === 'refused' && said.reason === 'wrong-output') wrong++;
    this.#desk.progress(batch, 'finished', { size, runMs, wrong });
    // The device comes first: the answers are written while it runs the next batch.
    const [next] = this.#runs;
    if (next && next.startedMs === undefined) this.#begin(next);
    this.#pump();
    this.#desk.answer(batch, items, (_, place) => answers[place]!, { size, startedMs, runMs });
    this.#ports.ended(batch);
    if (lost) this.#ports.deviceLost(lost);
  }

  #batch(id: string): Batch | undefined {
    for (const batch of this.#batches) if (batch.id === id) return batch;
    return undefined;
  }

  /** False when it was never accepted. */
  #forget(batch: Batch): boolean {
    const at = this.#batches.indexOf(batch);
    if (at >= 0) this.#batches.splice(at, 1);
    return at >= 0;
  }

  #refusalOf(batch: Batch): Refusal | undefined {
    const refusal = this.#ports.refusal();
    if (refusal) return refusal;
    if (!batch.models.every(model => this.#ports.usable(model))) return 'not-resident';
    return this.#batches.length < this.#settings.batchesMax ? undefined : 'overloaded';
  }

  #refuse(batch: Batch, reason: Refusal): void {
    const known = this.#forget(batch);
    const items = batch.itemsIn(state => state !== 'closed' && state !== 'absent');
    batch.closed = true;
    this.#desk.answer(batch, items, () => ({ is: 'refused', reason }));
    this.#past.add(batch, this.#ports.nowMs());
    this.#desk.progress(batch, 'refused', { size: batch.size, runMs: 0 });
    if (known) this.#ports.ended(batch);
  }
}

/** What is said something of when its batch starts without it; the missing are answered when they come. */
const REPORTED: ReadonlySet<ItemState> = new Set(['preparing', 'prepared', 'failed']);

/** Why an invocation does not run: its input is bad, was not prepared in time, or its answer would be late. */
function whyNot(batch: Batch, item: number): Answer {
  const state = batch.states[item];
  if (state === 'failed') return failureOf(batch.errors?.get(item), 'internal');
  if (state === 'preparing') return { is: 'refused', reason: 'overloaded' };
  return { is: 'dropped', reason: 'deadline' };
}
