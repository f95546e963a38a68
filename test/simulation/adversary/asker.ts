import { decode, encode } from '../../../bus/index.ts';
import {
  DEFAULT_PREFIX,
  DEFAULT_TENANT,
  subjects,
  type Bus,
  type Clock,
  type Result,
} from '../../../contracts/index.ts';
import { pictureOf } from './device.ts';
import type { Watch } from './watch.ts';

const PERIOD_MS = 700;
/** As much as it takes to notice that a host died. */
const BUDGET_MS = { storm: 1500, moves: 2000, crash: 12_000 } as const;
const QUERIES = ['tags', 'traffic'];

/** Asks one-off questions, whoever may hear them. */
export class Asker {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #watch: Watch;
  #asked = 0;

  constructor(bus: Bus, clock: Clock, watch: Watch) {
    this.#bus = bus;
    this.#clock = clock;
    this.#watch = watch;
  }

  start(): void {
    void this.#ask();
    this.#clock.after(PERIOD_MS, () => this.start());
  }

  async #ask(): Promise<void> {
    const number = this.#asked++;
    const picture = `question-${number}`;
    const budgetMs = BUDGET_MS[this.#watch.scenario.kind];
    const to = subjects.infer.at(DEFAULT_PREFIX, { tenant: DEFAULT_TENANT, query: QUERIES[number % QUERIES.length]! });
    const askedAtMs = this.#clock.nowMs();
    let result: Result | undefined;
    try {
      const question = encode({ v: 1, payload: pictureOf(picture), budgetMs });
      const { data } = await this.#bus.request(to, question, { timeoutMs: 2 * budgetMs });
      result = decode(data) as Result;
    } catch {
      // Nobody heard it, or the answer was lost.
    }
    this.#watch.asks.settled(picture, askedAtMs, result);
  }
}
