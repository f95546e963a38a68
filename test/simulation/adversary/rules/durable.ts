import type { DeadLetter, Frame, Result } from '../../../../contracts/index.ts';
import { FIRST_FAULT_MS } from '../scenario.ts';
import type { Report } from '../watch.ts';

/** A frame by its stream and number: the ids under which it was to be stored, was stored, and the results that are stored. */
interface Kept {
  readonly attempted: Set<string>;
  readonly stored: Set<string>;
  readonly results: Set<string>;
  sinceMs: number;
  /** When a result was last on its way into the journal. */
  answeredMs: number;
  /** The server may have lost it, or its result: what it had acknowledged was not synced to the disk. */
  mayBeLost: boolean;
}

/** How long a message takes into a journal, at most. */
const STORING_MS = 10;

/**
 * Every stored frame of a durable query has exactly one stored result. After a power failure those that were stored or answered
 * shortly before may have none, and a reader who had read one may read another; never one that is wrong.
 */
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
    if (family !== 'results') return;
    const { stream: of = '', seq = 0 } = message() as Result;
    this.#of(of, seq).answeredMs = this.#report.nowMs();
  }

  appended([family, , stream = '']: readonly string[], message: () => any, id = ''): void {
    if (family !== 'frames') return;
    const frame = this.#of(stream, (message() as Frame).seq);
    frame.stored.add(id);
    frame.sinceMs = this.#report.nowMs();
  }

  /** Some of what was stored since then is not any more. */
  lost(sinceMs: number): void {
    for (const frame of this.#frames.values()) {
      const { stored, sinceMs: storedMs, answeredMs } = frame;
      if (stored.size === 0 || storedMs >= sinceMs || answeredMs >= sinceMs - STORING_MS) frame.mayBeLost = true;
    }
  }

  /** One that the journal of results holds. */
  result(result: Result): void {
    const { query, stream = '', seq = 0, outcome, request, trouble } = result;
    const key = `${query} ${stream}/${seq}`;
    const frame = this.#of(stream, seq);
    if (frame.results.has(request) && !frame.mayBeLost)
      this.#report.broken('durable', `the result of ${key} is stored twice`);
    frame.results.add(request);
    if (frame.results.size > frame.attempted.size && !frame.mayBeLost)
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
    return [...this.#frames].flatMap(([key, { stored, results, sinceMs, mayBeLost }]) =>
      !mayBeLost && results.size < stored.size && nowMs - sinceMs > ageMs ? [key] : [],
    );
  }

  get answered(): number {
    return [...this.#frames.values()].reduce((sum, { results }) => sum + results.size, 0);
  }

  #of(stream: string, seq: number): Kept {
    const key = `${stream}/${seq}`;
    let frame = this.#frames.get(key);
    if (!frame) {
      const sinceMs = this.#report.nowMs();
      const times = { sinceMs, answeredMs: -Infinity, mayBeLost: false };
      frame = { attempted: new Set(), stored: new Set(), results: new Set(), ...times };
      this.#frames.set(key, frame);
    }
    return frame;
  }
}
