import { setTimeout as sleep } from 'node:timers/promises';
import { decode, encode } from '../../bus/index.ts';
import {
  subjects,
  type AllocatorBeat,
  type BatcherBeat,
  type Bus,
  type ErrorReply,
  type HostBeat,
  type Plan,
} from '../../contracts/index.ts';
import { groupsOf } from '../view/index.ts';

type BatchCounts = Record<'batches' | 'mixed' | 'granted' | 'models', number>;

const NONE: BatchCounts = { batches: 0, mixed: 0, granted: 0, models: 0 };

/** Follows the allocators of a cluster and asks them for things, for the demo. */
export class Director {
  plan: Plan | undefined;
  epochs = 0;
  modelsMoved = 0;
  /** What the leading allocator is busy with, in its words. */
  doing = '';
  /** Since the director listens: batches, those with inputs of several models, inputs, and models in each batch, summed. */
  readonly ran = { ...NONE };
  /** Most memory that the prefixes on a host saved at one time, and for how many models. */
  saved = { bytes: 0, members: 0 };
  readonly #pools = new Map<string, BatchCounts>();
  readonly #bus: Bus;
  readonly #prefix: string;

  constructor(bus: Bus, prefix: string) {
    this.#bus = bus;
    this.#prefix = prefix;
    bus.subscribe(subjects.plans.at(prefix), ({ data }) => {
      const plan = decode(Uint8Array.from(data)) as Plan;
      if (plan.epoch >= (this.plan?.epoch ?? 0)) this.plan = plan;
    });
    bus.subscribe(subjects.allocatorBeats.at(prefix), ({ data }) => {
      const beat = decode(data) as AllocatorBeat;
      if (beat.role !== 'leader') return;
      this.epochs = Math.max(this.epochs, beat.epochs);
      this.modelsMoved = Math.max(this.modelsMoved, beat.modelsMoved);
      this.doing = beat.waitingFor[0] ?? beat.detail ?? beat.phase;
    });
    bus.subscribe(subjects.batcherBeats.at(prefix), ({ subject, data }) => {
      this.#count(subjects.batcherBeats.paramsOf(prefix, subject).batcher, decode(data) as BatcherBeat);
    });
    bus.subscribe(subjects.hostBeats.at(prefix), ({ data }) => this.#weigh(decode(data) as HostBeat));
  }

  /** Counts of a pool begin anew where it changes hands. */
  #count(batcher: string, { pools }: BatcherBeat): void {
    for (const { pool, batches, granted, mixed = 0, models = 0 } of pools) {
      const key = `${batcher} ${pool}`;
      const known = this.#pools.get(key);
      const before = known && known.batches <= batches ? known : NONE;
      const counts = { batches, granted, mixed, models };
      this.#pools.set(key, counts);
      for (const what of Object.keys(NONE) as (keyof BatchCounts)[]) this.ran[what] += counts[what] - before[what];
    }
  }

  #weigh(beat: HostBeat): void {
    for (const { members, savedBytes } of groupsOf(beat))
      if (savedBytes > this.saved.bytes) this.saved = { bytes: savedBytes, members: members.length };
  }

  serves(query: string): boolean {
    return this.plan?.queries.some(planned => planned.query === query) ?? false;
  }

  /** A host that holds models now. */
  busyHost(): string | undefined {
    return this.plan?.hosts.find(({ models }) => models.length > 0)?.host;
  }

  /** @throws Error with the allocator's reason */
  async drain(host: string): Promise<string> {
    const { data } = await this.#bus.request(subjects.drain.at(this.#prefix), encode({ v: 1, host }), {
      timeoutMs: 5000,
    });
    const reply = decode(data) as { detail: string } | ErrorReply;
    if ('error' in reply) throw new Error(reply.error.detail);
    return reply.detail;
  }
}

/** Waits until `condition` holds. @throws Error naming what it waited for */
export async function until(what: string, condition: () => boolean, limitMs: number): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`${what}: not so within ${limitMs / 1000} s`);
    await sleep(50);
  }
}
