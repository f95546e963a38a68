import { decode } from '../../bus/index.ts';
import { subjects, type Bus, type Result, type RouterBeat } from '../../contracts/index.ts';
import { until } from './until.ts';

/** Frames and results as anybody sees them who listens: what was published, and what became of it. */
export class Ledger {
  readonly #bus: Bus;
  readonly #results = new Map<string, Result[]>();
  /** Results that came as replies: they are nobody else's news. */
  readonly #replies: Result[] = [];
  /** By stream, the numbers in the order in which they were heard. */
  readonly #frames = new Map<string, number[]>();
  readonly #routers = new Map<string, RouterBeat>();

  constructor(bus: Bus, prefix: string) {
    this.#bus = bus;
    bus.subscribe(subjects.results.at(prefix), ({ data }) => {
      const result = decode(Uint8Array.from(data)) as Result;
      const key = keyOf(result.stream ?? '', result.seq ?? -1);
      this.#results.set(key, [...(this.#results.get(key) ?? []), result]);
    });
    bus.subscribe(subjects.frames.at(prefix), ({ subject, data }) => {
      const { stream } = subjects.frames.paramsOf(prefix, subject);
      const { seq } = decode(Uint8Array.from(data)) as { seq: number };
      this.#frames.set(stream, [...(this.#frames.get(stream) ?? []), seq]);
    });
    bus.subscribe(subjects.routerBeats.at(prefix), ({ subject, data }) => {
      const { router } = subjects.routerBeats.paramsOf(prefix, subject);
      this.#routers.set(router, decode(Uint8Array.from(data)) as RouterBeat);
    });
  }

  /** Resolves when the server has taken these subscriptions in. */
  async ready(): Promise<this> {
    await this.#bus.flush();
    return this;
  }

  /** A request of one's own and its answer count as well. */
  replied(result: Result): void {
    this.#replies.push(result);
  }

  of(stream: string, seq: number): readonly Result[] {
    return this.#results.get(keyOf(stream, seq)) ?? [];
  }
  all(stream: string): readonly Result[] {
    return [...this.#results.values()].flat().filter(result => result.stream === stream);
  }
  frames(stream: string): readonly number[] {
    return this.#frames.get(stream) ?? [];
  }
  outcomes(stream: string): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { outcome, trouble } of this.all(stream)) {
      const what = trouble ? `${outcome} (${trouble.reason} at ${trouble.at}: ${trouble.detail})` : outcome;
      counts[what] = (counts[what] ?? 0) + 1;
    }
    return counts;
  }

  /** The outcome of a frame, when it is there. */
  async result(stream: string, seq: number): Promise<Result> {
    return until(`frame ${seq} of ${stream} has an outcome`, () => this.of(stream, seq)[0], {
      state: () => this.outcomes(stream),
    });
  }

  /** Resolves when each of these frames has an outcome. */
  async settled(stream: string, seqs: readonly number[], limitMs = 60_000): Promise<void> {
    const open = (): number[] => seqs.filter(seq => this.of(stream, seq).length === 0);
    await until(`each frame of ${stream} has an outcome`, () => open().length === 0, {
      limitMs,
      state: () => ({ published: seqs.length, open: open(), outcomes: this.outcomes(stream) }),
    });
  }

  /** Frames with more than one outcome. */
  twice(stream: string): readonly string[] {
    return [...this.#results]
      .filter(([, results]) => results.length > 1 && results[0]!.stream === stream)
      .map(([k]) => k);
  }

  /**
   * What a router that lived all the time counted, against what was heard of it: `accepted` requests and `told` outcomes
   * of them. Waits for a beat that says that nothing is under way any more.
   */
  async account(router: string): Promise<{ accepted: number; told: number }> {
    const told = (): number =>
      [...this.#results.values(), this.#replies]
        .flat()
        .filter(result => result.router === router && result.outcome !== 'rejected').length;
    const accepted = (): number => this.#routers.get(router)?.queries.reduce((sum, one) => sum + one.accepted, 0) ?? 0;
    await until(
      `${router} has nothing under way`,
      () => this.#routers.get(router)?.inFlight === 0 && accepted() >= told(),
    );
    return { accepted: accepted(), told: told() };
  }
}

const keyOf = (stream: string, seq: number): string => `${stream} ${seq}`;
