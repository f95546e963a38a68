import type { InferRequest, Result } from '../../../../contracts/index.ts';
import { nameOf } from '../device.ts';
import type { Process } from '../process.ts';
import { FIRST_FAULT_MS } from '../scenario.ts';
import type { Report, Rule } from '../watch.ts';
import { OVERDUE_MS } from './requests.ts';

interface Ask {
  /** Of the process that has it. */
  readonly holder: string;
  readonly picture: string;
  readonly sinceMs: number;
  readonly budgetMs: number;
  answered: boolean;
}

/** A router answers each one-off request that it took exactly once, unless it dies, and nobody's question but this. */
export class AskRules implements Rule {
  /** Answers that came back to who asked. */
  answers = 0;
  readonly #report: Report;
  /** By where the answer goes and who took it: a message that is doubled is two requests. */
  readonly #asks = new Map<string, Ask[]>();
  readonly #excusedAtMs = new Map<string, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  delivered(process: Process, [family]: readonly string[], message: () => any, reply: string | undefined): void {
    if (family !== 'infer' || process.program.role !== 'router' || !reply) return;
    const { payload, budgetMs = 0 } = message() as InferRequest;
    const holder = holderOf(process);
    const ask = { holder, picture: nameOf(payload), sinceMs: this.#report.nowMs(), budgetMs, answered: false };
    this.#asks.set(reply, [...(this.#asks.get(reply) ?? []), ask]);
  }

  sent(process: Process, [inbox = '']: readonly string[], message: () => any): void {
    const asks = this.#asks.get(inbox);
    if (!asks) return;
    const its = asks.filter(({ holder }) => holder === holderOf(process));
    const ask = its.find(({ answered }) => !answered);
    if (!ask) return this.#report.broken('one-answer', `${process.id} answers a one-off request twice`);
    ask.answered = true;
    for (const mistake of this.#report.pictures.mistakes(message() as Result, ask.picture))
      this.#report.broken('identity', `a one-off request: ${mistake}`);
  }

  /** What the asker got: nothing is an answer only in a storm. */
  settled(picture: string, askedAtMs: number, result: Result | undefined): void {
    if (result) this.answers++;
    if (this.#report.scenario.kind === 'storm' || askedAtMs < FIRST_FAULT_MS || result?.outcome === 'ok') return;
    const what = result ? `${result.outcome}: ${result.trouble?.detail}` : 'no answer';
    this.#report.broken('one-answer', `${picture} asked at ${askedAtMs} ms: ${what}`);
  }

  sweep(processes: readonly Process[]): void {
    const nowMs = this.#report.nowMs();
    const alive = new Map(processes.filter(({ alive }) => alive).map(process => [holderOf(process), process]));
    for (const [holder, { gate, connected }] of alive)
      if (gate.frozen || !connected) this.#excusedAtMs.set(holder, nowMs);
    for (const [inbox, asks] of this.#asks) {
      const open = asks.filter(({ holder, answered }) => !answered && alive.has(holder));
      for (const { holder, picture, sinceMs, budgetMs } of open) {
        if (nowMs - Math.max(sinceMs, this.#excusedAtMs.get(holder) ?? 0) <= 1.1 * budgetMs + OVERDUE_MS) continue;
        this.#report.broken('one-answer', `${holder} has held ${picture} since ${sinceMs} ms without an answer`);
      }
      // A little longer, to see a second answer.
      if (open.length === 0 && asks.every(({ sinceMs, budgetMs }) => nowMs - sinceMs > 2 * budgetMs + 2 * OVERDUE_MS))
        this.#asks.delete(inbox);
    }
  }
}

const holderOf = ({ id, incarnation }: Process): string => `${id} ${incarnation}`;
