import { decode, encode, realClock } from '../../bus/index.ts';
import {
  DEFAULT_TENANT,
  every,
  subjects,
  type Bus,
  type Cancel,
  type Outcome,
  type Picture,
  type QueryDocument,
  type Result,
} from '../../contracts/index.ts';
import type { Sent } from './judge.ts';
import { Keeper } from './keeper.ts';

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
  doubtful: boolean;
  /** False while it is not known to have reached the server; what is never stored was never a request. */
  sent: boolean;
  /** Its results are stored, so nothing of them goes unheard. */
  readonly stored: boolean;
  readonly identities: Set<string>;
}

/** Publishes frames and hears what becomes of them; those of durable queries by the journals, so that no restart hides anything. */
export class Load {
  readonly #bus: Bus;
  readonly #at: { readonly prefix: string; readonly tenant: string };
  readonly #entries = new Map<string, Entry>();
  readonly #keepers = new Map<string, Keeper>();
  /** Queries that have answered. */
  readonly answered = new Set<string>();
  #cancels: Cancel[] = [];
  #startedMs = 0;
  #counts = false;
  #seq = 0;
  #unsent = 0;
  /** The bus was away, and no router has been heard since. */
  #away = false;

  constructor(bus: Bus, at: { readonly prefix: string; readonly tenant: string }) {
    this.#bus = bus;
    this.#at = at;
    bus.subscribe(subjects.results.at(at.prefix, { tenant: at.tenant }), ({ data }) => {
      const result = decode(Uint8Array.from(data)) as Result;
      if (!this.#keepers.has(result.query)) this.#hear(result, result.request);
    });
    bus.onStatus(status => {
      if (status === 'disconnected') this.#away = true;
    });
    bus.subscribe(subjects.routerBeats.at(at.prefix), () => this.#routerIsBack());
  }

  get sent(): readonly Sent[] {
    return [...this.#entries.values()].filter(({ sent }) => sent);
  }
  /** Not published: NATS was away. */
  get unsent(): number {
    return this.#unsent + [...this.#entries.values()].filter(({ sent }) => !sent).length;
  }
  /** Since the first counted frame. */
  get nowMs(): number {
    return realClock.nowMs() - this.#startedMs;
  }
  /** Frames without an outcome that may still come. */
  get open(): number {
    return [...this.#entries.values()].filter(({ outcome }) => outcome === undefined).length;
  }

  /** Opens the journals of those queries that are durable. @throws StorageUnavailableError */
  async keep(queries: readonly QueryDocument[]): Promise<void> {
    for (const query of queries) {
      if (query.delivery !== 'durable' || (query.tenant ?? DEFAULT_TENANT) !== this.#at.tenant) continue;
      const hear = (result: Result, place: string): void => this.#hear(result, place);
      this.#keepers.set(query.name, await Keeper.open(this.#bus, this.#at, query, hear));
    }
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

  /** What is not stored by now is given up. */
  async close(): Promise<void> {
    this.stop();
    await Promise.all([...this.#keepers.values()].map(keeper => keeper.close()));
  }

  #film({ stream, query, picture }: Camera): void {
    const seq = ++this.#seq;
    const to = subjects.frames.at(this.#at.prefix, { tenant: this.#at.tenant, stream });
    const frame = encode({ v: 1, seq, picture });
    const keeper = this.#keepers.get(query);
    const isSent = keeper ? false : this.#bus.publish(to, frame);
    const entry = this.#enter({ query, stream, seq, sent: isSent, stored: keeper !== undefined });
    void keeper?.store(to, frame, `${stream} ${seq}`).then(isStored => (entry.sent ||= isStored));
  }

  #enter(of: Pick<Entry, 'query' | 'stream' | 'seq' | 'sent' | 'stored'>): Entry {
    const nothing = {
      outcome: undefined,
      reason: undefined,
      tookMs: undefined,
      results: 0,
      identities: new Set<string>(),
    };
    const entry: Entry = { ...of, ...nothing, atMs: this.nowMs, doubtful: this.#away && !of.stored };
    if (!this.#counts) return entry;
    // What couldn't be published plainly is gone; what is to be stored is tried again.
    if (of.sent || of.stored) this.#entries.set(keyOf(of.query, of.stream, of.seq), entry);
    else this.#unsent++;
    return entry;
  }

  #routerIsBack(): void {
    if (!this.#away || !this.#bus.connected) return;
    this.#away = false;
    for (const entry of this.#entries.values()) if (!entry.stored) entry.doubtful = true;
  }

  /** `identity`: the same again is the same result. */
  #hear({ query, stream = '', seq = 0, outcome, trouble }: Result, identity: string): void {
    if (outcome === 'ok') this.answered.add(query);
    const entry = this.#entries.get(keyOf(query, stream, seq));
    if (!entry) return;
    entry.sent = true;
    entry.identities.add(identity);
    entry.results = entry.identities.size;
    entry.outcome ??= outcome;
    entry.tookMs ??= this.nowMs - entry.atMs;
    if (trouble) entry.reason ??= `${outcome}: ${trouble.reason} at ${trouble.at}`;
  }
}

const keyOf = (query: string, stream: string, seq: number): string => `${query} ${stream} ${seq}`;
