import { decode, encode, realClock } from '../../bus/index.ts';
import {
  every,
  subjects,
  type Bus,
  type Cancel,
  type Outcome,
  type Picture,
  type Result,
} from '../../contracts/index.ts';
import type { Sent } from './judge.ts';

export interface Camera {
  readonly stream: string;
  readonly query: string;
  readonly rateHz: number;
  readonly picture: Picture;
}

interface Entry extends Sent {
  outcome: Outcome | undefined;
  reason: string | undefined;
  tookMs: number | undefined;
  results: number;
  readonly requests: Set<string>;
}

/** Publishes frames and hears what becomes of them. */
export class Load {
  unsent = 0;
  readonly #bus: Bus;
  readonly #at: { readonly prefix: string; readonly tenant: string };
  readonly #sent = new Map<string, Entry>();
  /** Queries that have answered. */
  readonly answered = new Set<string>();
  #cancels: Cancel[] = [];
  #startedMs = 0;
  #counts = false;
  #seq = 0;

  constructor(bus: Bus, at: { readonly prefix: string; readonly tenant: string }) {
    this.#bus = bus;
    this.#at = at;
    bus.subscribe(subjects.results.at(at.prefix, { tenant: at.tenant }), ({ data }) =>
      this.#hear(decode(Uint8Array.from(data)) as Result),
    );
  }

  get sent(): readonly Sent[] {
    return [...this.#sent.values()];
  }
  /** Since the first counted frame. */
  get nowMs(): number {
    return realClock.nowMs() - this.#startedMs;
  }
  /** Frames without an outcome. */
  get open(): number {
    return this.sent.filter(({ outcome }) => outcome === undefined).length;
  }

  start(cameras: readonly Camera[]): void {
    this.#cancels = cameras.map(camera => every(realClock, 1000 / camera.rateHz, () => this.#film(camera)));
  }

  /** From now on frames count; time begins. */
  count(): void {
    this.#counts = true;
    this.#startedMs = realClock.nowMs();
  }

  stop(): void {
    for (const cancel of this.#cancels.splice(0)) cancel();
  }

  #film({ stream, query, picture }: Camera): void {
    const seq = ++this.#seq;
    const to = subjects.frames.at(this.#at.prefix, { tenant: this.#at.tenant, stream });
    const isSent = this.#bus.publish(to, encode({ v: 1, seq, picture }));
    if (!this.#counts) return;
    if (!isSent) this.unsent++;
    else {
      const entry = { query, stream, seq, atMs: this.nowMs, outcome: undefined, reason: undefined, tookMs: undefined };
      this.#sent.set(keyOf(query, stream, seq), { ...entry, results: 0, requests: new Set() });
    }
  }

  #hear({ query, stream = '', seq = 0, request, outcome, trouble }: Result): void {
    if (outcome === 'ok') this.answered.add(query);
    const entry = this.#sent.get(keyOf(query, stream, seq));
    if (!entry) return;
    entry.requests.add(request);
    entry.results = entry.requests.size;
    entry.outcome ??= outcome;
    entry.tookMs ??= this.nowMs - entry.atMs;
    if (trouble) entry.reason ??= `${outcome}: ${trouble.reason} at ${trouble.at}`;
  }
}

const keyOf = (query: string, stream: string, seq: number): string => `${query} ${stream} ${seq}`;
