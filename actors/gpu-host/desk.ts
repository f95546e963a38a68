import { modelOf, type Answer, type Answers, type Payloads, type Progress } from '../../contracts/index.ts';
import type { AnswersHead } from './answers.ts';
import type { Batch } from './batch.ts';
import type { Held } from './held.ts';

export type Refusal = Extract<Answer, { is: 'refused' }>['reason'];

export interface DeskPorts {
  nowMs(): number;
  /** What all that this host says has in common. */
  readonly name: Pick<AnswersHead, 'host' | 'emulated'>;
  answer(router: string, message: Answers): void;
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

const NOT_RUN = { size: 0, runMs: 0, sinceRunMs: 0 };

/** Where batches are answered for: to each router what became of its invocations, to the batcher how the device gets on. */
export class Desk {
  readonly counts: DeskCounts = { refused: 0, dropped: 0, failed: 0 };
  readonly #ports: DeskPorts;
  readonly #held: Held;

  constructor(ports: DeskPorts, held: Held) {
    this.#ports = ports;
    this.#held = held;
  }

  /**
   * Answers these invocations, each router in one message; nothing more is said of them. `answerOf`: of an invocation, by its index in the
   * batch and its place in `items`. With `run`: they ran, with these figures.
   */
  answer(
    batch: Batch,
    items: readonly number[],
    answerOf: (item: number, place: number) => Answer,
    run?: { readonly size: number; readonly startedMs: number; readonly runMs: number },
  ): void {
    if (items.length === 0) return;
    const nowMs = this.#ports.nowMs();
    const ran = run && { ...run, sinceRunMs: Math.max(0, nowMs - run.startedMs - run.runMs) };
    const { settledMs, outlinedMs } = batch;
    const messages: (Answers | undefined)[] = [];
    for (let place = 0; place < items.length; place++) {
      const item = items[place]!;
      const message = (messages[batch.router(item)] ??= this.#blank(batch.id, ran ?? NOT_RUN));
      const answer = this.#counted(answerOf(item, place));
      message.model.push(modelOf(batch.modelOf(item)));
      message.ids.push(batch.idOf(item));
      message.answers.push(answer);
      message.transferMs.push(settledMs[item]! - outlinedMs);
      message.waitMs.push(Math.max(0, (run?.startedMs ?? nowMs) - settledMs[item]!));
      this.#close(batch, item);
    }
    for (const [i, message] of messages.entries()) if (message) this.#ports.answer(batch.routers[i]!, message);
  }

  /** Refuses payloads that no batch waits for. `partOf` leaves out those that were answered before. */
  refuse({ batch, router, ids }: Payloads, partOf: (id: number) => string | undefined): void {
    const message = this.#blank(batch, NOT_RUN);
    for (const id of ids) {
      const model = partOf(id);
      if (model === undefined) continue;
      message.model.push(modelOf(model));
      message.ids.push(id);
      message.answers.push(this.#counted({ is: 'refused', reason: 'overloaded' }));
      message.transferMs.push(0);
      message.waitMs.push(0);
    }
    if (message.ids.length > 0) this.#ports.answer(router, message);
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

  #close(batch: Batch, item: number): void {
    // What is being prepared holds its memory until that ends.
    if (batch.states[item] !== 'preparing') this.#held.set(batch, item, 0);
    batch.enter(item, 'closed');
    batch.prepared[item] = undefined;
  }

  #blank(batch: string, { size, runMs, sinceRunMs }: Omit<AnswersHead, 'host' | 'emulated' | 'batch'>): Answers {
    const { host, emulated } = this.#ports.name;
    const columns = { model: [], ids: [], answers: [], transferMs: [], waitMs: [] };
    return { v: 1, batch, size, runMs, sinceRunMs, host, emulated, ...columns };
  }

  #counted(answer: Answer): Answer {
    if (answer.is === 'refused') this.counts.refused++;
    else if (answer.is === 'dropped') this.counts.dropped++;
    else if (answer.is === 'failed') this.counts.failed++;
    return answer;
  }
}
