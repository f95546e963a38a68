import { truthOfFrame } from '../../actors/stream-sampler/index.ts';
import { decode } from '../../bus/index.ts';
import {
  subjects,
  type Bus,
  type Frame,
  type Outcome,
  type Result,
  type StreamDocument,
} from '../../contracts/index.ts';
import { judge } from './judge.ts';

const LATENCIES_MAX = 100_000;

/** What was published and what became of it, seen from outside: by listening to frames and results. */
export class Tally {
  readonly outcomes: Record<Outcome, number> = { ok: 0, late: 0, dropped: 0, failed: 0, rejected: 0 };
  readonly latenciesMs: number[] = [];
  frames = 0;
  answers = 0;
  duplicates = 0;
  characters = 0;
  charactersRight = 0;
  lastGood: { frame: Frame; result: Result } | undefined;
  /** The latest trouble, in its own words. */
  trouble: string | undefined;
  readonly #open = new Map<string, Frame>();
  readonly #ended = new Set<string>();
  readonly #early = new Map<string, Result>();
  readonly #streams: ReadonlyMap<string, StreamDocument>;

  constructor(bus: Bus, prefix: string, streams: readonly StreamDocument[]) {
    this.#streams = new Map(streams.map(stream => [stream.name, stream]));
    bus.subscribe(subjects.frames.at(prefix), message => {
      const { stream } = subjects.frames.paramsOf(prefix, message.subject);
      const frame = decode(Uint8Array.from(message.data)) as Frame;
      const key = `${stream} ${frame.seq}`;
      this.frames++;
      const early = this.#early.get(key);
      this.#open.set(key, frame);
      if (early) this.#end(key, early);
    });
    bus.subscribe(subjects.results.at(prefix), message => {
      const result = decode(Uint8Array.from(message.data)) as Result;
      this.#end(`${result.stream} ${result.seq}`, result);
    });
  }

  /** Frames without a terminal outcome so far. */
  get open(): number {
    return this.#open.size;
  }

  /** Where things stand, for people. */
  line(): string {
    const { ok, late, dropped, failed, rejected } = this.outcomes;
    const accuracy =
      this.characters === 0
        ? ''
        : `, ${((100 * this.charactersRight) / this.characters).toFixed(1)} % of characters right`;
    const trouble = this.trouble === undefined ? '' : `; latest trouble: ${this.trouble}`;
    return `${this.frames} frames: ${ok} ok, ${late} late, ${dropped} dropped, ${failed} failed, ${rejected} rejected${accuracy}${trouble}`;
  }

  #end(key: string, result: Result): void {
    const frame = this.#open.get(key);
    if (!frame) {
      if (this.#ended.has(key)) this.duplicates++;
      else this.#early.set(key, result); // frames and results come from different publishers: either may be first
      return;
    }
    this.#open.delete(key);
    this.#early.delete(key);
    this.#ended.add(key);
    this.outcomes[result.outcome]++;
    if (result.trouble) this.trouble = `${result.outcome} at ${result.trouble.at}: ${result.trouble.detail}`;
    if (result.outcome !== 'ok' && result.outcome !== 'late') return;
    this.answers++;
    if (this.latenciesMs.length < LATENCIES_MAX) this.latenciesMs.push(result.latencyMs);
    const stream = this.#streams.get(result.stream!);
    const truth = stream && truthOfFrame(stream, result.seq!);
    if (!truth) return;
    const { characters, right } = judge(truth, result);
    this.characters += characters;
    this.charactersRight += right;
    this.lastGood = { frame, result };
  }
}
