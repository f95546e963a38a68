import { modelOf, type Answer, type Payloads, type Progress } from '../../contracts/index.ts';
import type { AnswersHead, Reply } from './answers.ts';
import { enter, type Batch, type Item } from './batch.ts';
import type { Held } from './held.ts';

export type Refusal = Extract<Answer, { is: 'refused' }>['reason'];

export interface DeskPorts {
  nowMs(): number;
  answer(head: Omit<AnswersHead, 'host' | 'emulated'>, replies: readonly Reply[]): void;
  progress(batcher: string, message: Omit<Progress, 'v' | 'host'>): void;
  /** Until the device is free of all that it was granted. */
  freeInMs(): number;
  /** Batches granted and not finished. */
  backlog(): number;
}

/** Invocations by what was said of them, since start. */
export interface DeskCounts {
  refused: number;
  dropped: number;
  failed: number;
}

/** Where batches are answered for: to each router what became of its invocations, to the batcher how the device gets on. */
export class Desk {
  readonly counts: DeskCounts = { refused: 0, dropped: 0, failed: 0 };
  readonly #ports: DeskPorts;
  readonly #held: Held;

  constructor(ports: DeskPorts, held: Held) {
    this.#ports = ports;
    this.#held = held;
  }

  /** Answers these invocations; nothing more is said of them. With `run`: they ran, with these figures. */
  answer(
    batch: Batch,
    items: readonly Item[],
    answerOf: (item: Item) => Answer,
    run?: { readonly size: number; readonly startedMs: number; readonly runMs: number },
  ): void {
    if (items.length === 0) return;
    const nowMs = this.#ports.nowMs();
    const replies = items.map((item): Reply => {
      const { router, id, model, settledMs } = item;
      const transferMs = settledMs - batch.outlinedMs;
      const waitMs = Math.max(0, (run?.startedMs ?? nowMs) - settledMs);
      return { router, id, model: modelOf(model), answer: answerOf(item), transferMs, waitMs };
    });
    for (const item of items) this.#close(batch, item);
    const sinceRunMs = run ? Math.max(0, nowMs - run.startedMs - run.runMs) : 0;
    this.#send({ batch: batch.id, size: run?.size ?? 0, runMs: run?.runMs ?? 0, sinceRunMs }, replies);
  }

  /** Refuses payloads that no batch waits for. `partOf` leaves out those that were answered before. */
  refuse({ batch, router, ids }: Payloads, partOf: (id: number) => string | undefined): void {
    const replies = ids.flatMap((id): Reply[] => {
      const model = partOf(id);
      const answer: Answer = { is: 'refused', reason: 'overloaded' };
      return model === undefined ? [] : [{ router, id, model: modelOf(model), answer, transferMs: 0, waitMs: 0 }];
    });
    if (replies.length > 0) this.#send({ batch, size: 0, runMs: 0, sinceRunMs: 0 }, replies);
  }

  progress(batch: Batch, phase: Progress['phase'], run: Pick<Progress, 'size' | 'runMs' | 'wrong'>): void {
    const nowMs = this.#ports.nowMs();
    this.#ports.progress(batch.batcher, {
      batch: batch.id,
      phase,
      size: run.size,
      fillMs: (batch.filledMs ?? nowMs) - batch.outlinedMs,
      heldMs: nowMs - batch.outlinedMs,
      runMs: run.runMs,
      ...(run.wrong ? { wrong: run.wrong } : {}),
      freeInMs: this.#ports.freeInMs(),
      backlog: this.#ports.backlog(),
    });
  }

  #close(batch: Batch, item: Item): void {
    // What is being prepared holds its memory until that ends.
    if (item.state !== 'preparing') this.#held.set(item, 0);
    enter(batch, item, 'closed');
    item.prepared = undefined;
  }

  #send(head: Omit<AnswersHead, 'host' | 'emulated'>, replies: readonly Reply[]): void {
    for (const { answer } of replies) {
      if (answer.is === 'refused') this.counts.refused++;
      else if (answer.is === 'dropped') this.counts.dropped++;
      else if (answer.is === 'failed') this.counts.failed++;
    }
    this.#ports.answer(head, replies);
  }
}
