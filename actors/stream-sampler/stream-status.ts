import type { Log, SamplerBeat, StreamNews } from '../../contracts/index.ts';

export type StreamState = SamplerBeat['streams'][number]['state'];

export interface StatusPorts {
  readonly log: Log;
  tell(news: StreamNews): void;
  /** Something changed that is worth a beat. */
  changed(): void;
}

const DETAIL_CHARS_MAX = 1024;
/** A beat tells of up to 1024 streams and must fit one message. */
const DETAIL_IN_BEAT_CHARS_MAX = 300;
const WARNINGS_MAX = 32;

/** What is to be told of one stream: its state, its counts, what went wrong. */
export class StreamStatus {
  readonly counts = {
    sampled: 0,
    skipped: 0,
    published: 0,
    unsent: 0,
    reopened: 0,
    missed: 0,
    broken: 0,
    tooLarge: 0,
  };
  #state: StreamState = 'opening';
  #detail = '';
  readonly #tenant: string;
  readonly #stream: string;
  readonly #ports: StatusPorts;
  readonly #warned = new Set<string>();

  constructor(tenant: string, stream: string, ports: StatusPorts) {
    this.#tenant = tenant;
    this.#stream = stream;
    this.#ports = ports;
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Why it isn't well; empty when nothing is known. */
  get detail(): string {
    return this.#detail;
  }

  /** Its entry in the beat. `missedBySource`: pictures that its open source has let go since it was opened. */
  report(missedBySource: number): SamplerBeat['streams'][number] {
    return {
      tenant: this.#tenant,
      stream: this.#stream,
      state: this.#state,
      ...this.counts,
      missed: this.counts.missed + missedBySource,
      ...(this.#detail ? { detail: this.#detail.slice(0, DETAIL_IN_BEAT_CHARS_MAX) } : {}),
    };
  }

  enter(state: StreamNews['state'], detail: string): void {
    this.#state = state;
    this.#detail = detail.slice(0, DETAIL_CHARS_MAX);
    this.#ports.tell({ v: 1, state, detail: this.#detail || 'pictures arrive', frames: this.counts.published });
    this.#ports.log.info(`stream ${this.#tenant}/${this.#stream} is ${state}`, detail ? { detail } : {});
    this.#ports.changed();
  }

  /** Shows in the beat; logged once for each `what` and `about`, 32 times at most. */
  warn(what: string, detail: string, about = detail): void {
    this.#detail = `${what}: ${detail}`.slice(0, DETAIL_CHARS_MAX);
    const kind = `${what}: ${about}`;
    if (this.#warned.has(kind) || this.#warned.size >= WARNINGS_MAX) return;
    this.#warned.add(kind);
    this.#ports.log.warn(what, { stream: `${this.#tenant}/${this.#stream}`, detail });
    this.#ports.changed();
  }
}
