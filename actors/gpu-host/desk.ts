import { modelOf, type Answer, type Answers, type Payloads, type Progress } from '../../contracts/index.ts';
import type { Batch } from './batch.ts';
import type { Held } from './held.ts';

export type Refusal = Extract<Answer, { is: 'refused' }>['reason'];

export interface DeskPorts {
  nowMs(): number;
  /** What all that this host says has in common. */
  readonly name: Pick<Answers, 'host' | 'emulated'>;
  answer(router: string, message: Answers): void;
  progress(batcher: string, message: Progress): void;
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

/** A batch that ran, or what was left of it. */
interface RanBatch {
  readonly size: number;
  readonly startedMs: number;
  readonly runMs: number;
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

  /**
   * Answers these invocations, each router in one message; nothing more is said of them. `answerOf`: of an invocation, by its index in the
   * batch and its place in `items`. With `run`: they ran, with these figures.
   */
  answer(
    batch: Batch,
    items: readonly number[],
    answerOf: (item: number, place: number) => Answer,
    run?: RanBatch,
  ): void {
    if (items.length === 0) return;
    const nowMs = this.#ports.nowMs();
    const startedMs = run ? run.startedMs : nowMs;
    const { settledMs, outlinedMs } = batch;
    const messages: (Answers | undefined)[] = [];
    let part = '';
    let model = '';
    for (let place = 0; place < items.length; place++) {
      const item = items[place]!;
      if (batch.modelOf(item) !== part) {
        part = batch.modelOf(item);
        model = modelOf(part);
      }
      const message = (messages[batch.router(item)] ??= this.#blank(batch.id, nowMs, run));
      const answer = this.#counted(answerOf(item, place));
      message.model.push(model);
      message.ids.push(batch.idOf(item));
      message.answers.push(answer);
      message.transferMs.push(settledMs[item]! - outlinedMs);
      message.waitMs.push(Math.max(0, startedMs - settledMs[item]!));
      this.#close(batch, item);
    }
    for (let i = 0; i < messages.length; i++) if (messages[i]) this.#ports.answer(batch.routers[i]!, messages[i]!);
  }

  /** Refuses payloads that no batch waits for. `partOf` leaves out those that were answered before. */
  refuse({ batch, router, ids }: Payloads, partOf: (id: number) => string | undefined): void {
    const message = this.#blank(batch, this.#ports.nowMs());
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
    const said: Progress = {
      v: 1,
      host: this.#ports.name.host,
      batch: batch.id,
      phase,
      size: run.size,
      fillMs: (batch.filledMs ?? nowMs) - batch.outlinedMs,
      heldMs: nowMs - batch.outlinedMs,
      runMs: run.runMs,
      freeInMs: this.#ports.freeInMs(),
      backlog: this.#ports.backlog(),
    };
    if (run.wrong) said.wrong = run.wrong;
    this.#ports.progress(batch.batcher, said);
  }

  #close(batch: Batch, item: number): void {
    // What is being prepared holds its memory until that ends.
    if (batch.states[item] !== 'preparing') this.#held.set(batch, item, 0);
    batch.enter(item, 'closed');
    batch.prepared[item] = undefined;
  }

  #blank(batch: string, nowMs: number, run?: RanBatch): Answers {
    const { host, emulated } = this.#ports.name;
    return {
      v: 1,
      batch,
      size: run ? run.size : 0,
      runMs: run ? run.runMs : 0,
      sinceRunMs: run ? Math.max(0, nowMs - run.startedMs - run.runMs) : 0,
      host,
      emulated,
      model: [],
      ids: [],
      answers: [],
      transferMs: [],
      waitMs: [],
    };
  }

  #counted(answer: Answer): Answer {
    if (answer.is === 'refused') this.counts.refused++;
    else if (answer.is === 'dropped') this.counts.dropped++;
    else if (answer.is === 'failed') this.counts.failed++;
    return answer;
  }
}
