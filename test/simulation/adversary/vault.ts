import { decode, encode, type Network } from '../../../bus/index.ts';
import {
  deadJournal,
  DEFAULT_PREFIX,
  DEFAULT_TENANT,
  framesJournal,
  resultsJournal,
  sleep,
  subjects,
  type Bus,
  type Clock,
  type DeadLetter,
  type Frame,
  type Journal,
  type Result,
} from '../../../contracts/index.ts';
import { pictureOf } from './device.ts';
import { KEPT, VAULT } from './documents.ts';
import type { DurableRules } from './rules/durable.ts';

const PERIOD_MS = 500;
const RETRY_MS = 200;

/** What the durable class stores: a camera whose frames are published until they are stored, and a reader of all results. */
export class Vault {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #rules: DurableRules;

  constructor(network: Network, clock: Clock, rules: DurableRules) {
    this.#bus = network.connect('vault');
    this.#clock = clock;
    this.#rules = rules;
  }

  async open(): Promise<void> {
    await this.#read(resultsJournal(DEFAULT_PREFIX, DEFAULT_TENANT, KEPT), data => this.#rules.result(data as Result));
    await this.#read(deadJournal(DEFAULT_PREFIX), data => this.#rules.letter(data as DeadLetter));
  }

  film(): void {
    const to = subjects.frames.at(DEFAULT_PREFIX, { tenant: DEFAULT_TENANT, stream: VAULT });
    const { name, settings } = framesJournal(DEFAULT_PREFIX, DEFAULT_TENANT, [to]);
    void (async () => {
      const journal = await this.#bus.journal(name, settings);
      for (let seq = 0; ; seq++) {
        await this.#keep(journal, to, seq);
        await sleep(this.#clock, PERIOD_MS);
      }
    })();
  }

  async #keep(journal: Journal, to: string, seq: number): Promise<void> {
    const frame: Frame = { v: 1, seq, picture: pictureOf(`${VAULT}/${seq}`) };
    const [tokens, id] = [['frames', DEFAULT_TENANT, VAULT], `${VAULT} ${seq}`];
    this.#rules.appending(tokens, () => frame, id);
    for (;;) {
      try {
        await journal.append(to, encode(frame), { id });
        return this.#rules.appended(tokens, () => frame, id);
      } catch {
        await sleep(this.#clock, RETRY_MS);
      }
    }
  }

  async #read({ name, settings }: ReturnType<typeof deadJournal>, take: (message: unknown) => void): Promise<void> {
    const journal = await this.#bus.journal(name, settings);
    const reader = { name: 'judge', subjects: settings.subjects, ackWaitMs: 1000, heldMax: 1000 };
    const seen = new Set<string>();
    await journal.read(reader, entry => {
      // What was delivered or acknowledged while the server was away comes again.
      const place = `${entry.sequence} ${entry.storedAtMs}`;
      if (!seen.has(place)) take(decode(entry.data));
      seen.add(place);
      entry.ack();
    });
  }
}
