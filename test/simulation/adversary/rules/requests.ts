import type { Frame, Result } from '../../../../contracts/index.ts';
import type { Process } from '../process.ts';
import { FIRST_FAULT_MS } from '../scenario.ts';
import type { Report, Rule } from '../watch.ts';

/** Requests of one router process, by `<query> <stream>/<seq>`. */
type Open = Map<string, { count: number; sinceMs: number; objectiveMs: number }>;

/** What a test may peek at. */
interface RouterState {
  readonly catalog: {
    readersOf(
      subject: string,
      params: () => { tenant: string; stream: string },
    ): { queries: readonly { name: string; objectiveMs: number }[] };
  };
}

/** Beyond its objective a request may wait for an answer that is due; no longer. */
export const OVERDUE_MS = 3000;

/** Exactly one outcome for each request that a router accepted, and never under another request's name. */
export class RequestRules implements Rule {
  readonly results: { readonly atMs: number; readonly result: Result }[] = [];
  accepted = 0;
  /** Requests whose router died with them. */
  lost = 0;
  readonly #report: Report;
  readonly #open = new Map<string, Open>();
  readonly #ids = new Set<string>();
  readonly #excusedAtMs = new Map<string, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  delivered(process: Process, [family, tenant = '', stream = '']: readonly string[], message: () => any): void {
    if (family !== 'frames' || process.program.role !== 'router') return;
    const router = process.running?.state as RouterState | undefined;
    if (!router) return;
    const { seq } = message() as Frame;
    const subject = `ganglion.frames.${tenant}.${stream}`;
    for (const { name, objectiveMs } of router.catalog.readersOf(subject, () => ({ tenant, stream })).queries) {
      const open = this.#openOf(process);
      const key = `${name} ${stream}/${seq}`;
      const request = open.get(key);
      if (request) request.count++;
      else open.set(key, { count: 1, sinceMs: this.#report.nowMs(), objectiveMs });
      this.accepted++;
    }
  }

  sent(process: Process, [family]: readonly string[], message: () => any): void {
    if (family !== 'results') return;
    const result = message() as Result;
    const { request: id, query, stream, seq, outcome, trouble } = result;
    const key = `${query} ${stream}/${seq}`;
    const open = this.#openOf(process);
    const request = open.get(key);
    if (!request) this.#report.broken('one-outcome', `${process.id} ends ${key} (${outcome}), which it does not hold`);
    else if (--request.count === 0) open.delete(key);
    if (this.#ids.has(id)) this.#report.broken('one-outcome', `${id} (${key}) ends twice`);
    this.#ids.add(id);
    this.results.push({ atMs: this.#report.nowMs(), result });
    // Where hosts die at random, a request may meet two deaths: then it is taken for their cause, as promised.
    const unlucky = trouble?.reason === 'poison' && this.#report.scenario.kind === 'storm';
    if (outcome === 'failed' && !unlucky) this.#report.broken('failed', `${key}: ${trouble?.detail}`);
    if (outcome === 'ok' && result.latencyMs > result.objectiveMs + 0.001)
      this.#report.broken('in-time', `${key} is ok after ${result.latencyMs} ms, ${result.objectiveMs} were allowed`);
    const { kind } = this.#report.scenario;
    if (kind !== 'storm' && outcome !== 'ok' && this.#report.nowMs() > FIRST_FAULT_MS)
      this.#report.broken('no-loss', `${key} ended ${outcome}: ${trouble?.detail}`);
    for (const mistake of this.#report.pictures.mistakes(result))
      this.#report.broken('identity', `${query}: ${mistake}`);
  }

  sweep(processes: readonly Process[]): void {
    const nowMs = this.#report.nowMs();
    for (const process of processes) {
      if (process.program.role !== 'router') continue;
      for (const [key, open] of this.#open) {
        const [id, incarnation] = key.split(' ');
        if (id !== process.id || (Number(incarnation) === process.incarnation && process.alive)) continue;
        for (const { count } of open.values()) this.lost += count;
        this.#open.delete(key);
      }
      if (!process.alive || process.gate.frozen || !process.connected) this.#excusedAtMs.set(process.id, nowMs);
      const excusedAtMs = this.#excusedAtMs.get(process.id) ?? 0;
      for (const [key, { sinceMs, objectiveMs }] of this.#openOf(process)) {
        if (nowMs - Math.max(sinceMs, excusedAtMs) <= 1.1 * objectiveMs + OVERDUE_MS) continue;
        this.#report.broken('one-outcome', `${process.id} has held ${key} since ${sinceMs} ms without an outcome`);
      }
    }
  }

  /** Requests that have no outcome yet. */
  open(): string[] {
    return [...this.#open].flatMap(([router, open]) => [...open.keys()].map(key => `${router}: ${key}`));
  }

  #openOf({ id, incarnation }: Process): Open {
    const key = `${id} ${incarnation}`;
    let open = this.#open.get(key);
    if (!open) this.#open.set(key, (open = new Map()));
    return open;
  }
}
