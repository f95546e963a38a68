import type { DeadLetter, Frame, Result } from '../../../../contracts/index.ts';
import { FIRST_FAULT_MS } from '../scenario.ts';
import type { Report } from '../watch.ts';

/** A frame by its stream and number: the ids under which it was to be stored, was stored, and the results that are stored. */
interface Kept {
  readonly attempted: Set<string>;
  readonly stored: Set<string>;
  readonly results: Set<string>;
  sinceMs: number;
}

/** Every stored frame of a durable query has exactly one stored result. */
export class DurableRules {
  /** Dead letters: frames that were given up. */
  buried = 0;
  readonly #report: Report;
  readonly #frames = new Map<string, Kept>();

  constructor(report: Report) {
    this.#report = report;
  }

  appending([family, , stream = '']: readonly string[], message: () => any, id = ''): void {
    if (family === 'frames') this.#of(stream, (message() as Frame).seq).attempted.add(id);
  }

  appended([family, , stream = '']: readonly string[], message: () => any, id = ''): void {
    if (family !== 'frames') return;
    const frame = this.#of(stream, (message() as Frame).seq);
    frame.stored.add(id);
    frame.sinceMs = this.#report.nowMs();
  }

  /** One that the journal of results holds. */
  result(result: Result): void {
    const { query, stream = '', seq = 0, outcome, request, trouble } = result;
    const key = `${query} ${stream}/${seq}`;
    const frame = this.#of(stream, seq);
    if (frame.results.has(request)) this.#report.broken('durable', `the result of ${key} is stored twice`);
    frame.results.add(request);
    if (frame.results.size > frame.attempted.size)
      this.#report.broken('durable', `${key} has ${frame.results.size} results, stored once`);
    for (const mistake of this.#report.pictures.mistakes(result))
      this.#report.broken('identity', `${query}: ${mistake}`);
    const calm = this.#report.scenario.kind !== 'storm' && this.#report.nowMs() - result.latencyMs > FIRST_FAULT_MS;
    if (calm && outcome !== 'ok') this.#report.broken('no-loss', `${key} ended ${outcome}: ${trouble?.detail}`);
  }

  letter({ result }: DeadLetter): void {
    this.buried++;
    if (!result.trouble) this.#report.broken('durable', `${result.stream}/${result.seq} is buried without a reason`);
  }

  /** Frames that have been stored for so long and have no result. */
  open(ageMs: number): string[] {
    const nowMs = this.#report.nowMs();
    return [...this.#frames].flatMap(([key, { stored, results, sinceMs }]) =>
      results.size < stored.size && nowMs - sinceMs > ageMs ? [key] : [],
    );
  }

  get answered(): number {
    return [...this.#frames.values()].reduce((sum, { results }) => sum + results.size, 0);
  }

  #of(stream: string, seq: number): Kept {
    const key = `${stream}/${seq}`;
    let frame = this.#frames.get(key);
    if (!frame) {
      frame = { attempted: new Set(), stored: new Set(), results: new Set(), sinceMs: this.#report.nowMs() };
      this.#frames.set(key, frame);
    }
    return frame;
  }
}
