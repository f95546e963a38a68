import type { ExecutionContext } from 'ava';
import { prefixBatcher } from '../../actors/prefix-batcher/index.ts';
import { startActor, type RunningActor } from '../../actors/actor/index.ts';
import { createNetwork, decode, encode, encodeJson, VirtualClock, type Network } from '../../bus/index.ts';
import {
  bucketName,
  BUCKETS,
  DEFAULT_PREFIX,
  seededRandom,
  subjects,
  type BatcherBeat,
  type Bus,
  type HostBeat,
  type Log,
  type Offers,
  type Outline,
  type Plan,
  type Progress,
  type Subject,
  type Verdicts,
} from '../../contracts/index.ts';
import { beatOf } from './stand.ts';

/** ℓ(b) = 2b + 8, exactly. */
export const MODEL = 'det@000000000001';
export const SESSION = 'default/det/200';

/** A plan with one model; more pools, hosts and sessions by `change`. */
export function planOf(epoch: number, change: Partial<Plan> = {}): Plan {
  return {
    v: 1,
    epoch,
    nonce: 'n',
    policy: 'test',
    pools: [{ pool: 'pool-0', batcher: 'batcher-1', hosts: ['gpu-a', 'gpu-b'], sessions: [SESSION], groups: [] }],
    hosts: ['gpu-a', 'gpu-b'].map(host => {
      return { host, kind: 'gpu', models: [{ model: MODEL, lane: 0, batches: [1, 8], batchMax: 8 }] };
    }),
    sessions: [
      { name: SESSION, tenant: 'default', model: MODEL, objectiveMs: 200, rateHz: 50, prefer: 'latency' as const },
    ],
    queries: [],
    refused: [],
    profiles: [profileOf(MODEL)],
    ...change,
  };
}

export const profileOf = (model: string) => ({
  v: 1 as const,
  model,
  device: 'gpu',
  emulated: false,
  points: [1, 8].map(batch => {
    return { batch, meanMs: 2 * batch + 8, stdMs: 0, p99Ms: 2 * batch + 8, ephemeralBytes: 0, repeats: 10 };
  }),
  persistentBytes: 0,
  loadMs: 10,
  preMs: 0,
  postMs: 0,
});

/** A batcher on an in-process bus, with routers and hosts that are played by the test through real messages. */
export class Cluster {
  readonly clock = new VirtualClock();
  readonly network: Network = createNetwork({ clock: this.clock });
  readonly verdicts: (Verdicts & { readonly to: string })[] = [];
  readonly outlines: (Outline & { readonly to: string })[] = [];
  readonly beats: BatcherBeat[] = [];
  readonly logged: string[] = [];
  readonly peer: Bus;
  #batcher: RunningActor | undefined;
  #ids = 0;

  constructor(t: ExecutionContext) {
    this.peer = this.network.connect('peers');
    this.#record(subjects.verdicts, ({ router = '' }, message) => this.verdicts.push({ to: router, ...message }));
    this.#record(subjects.outlines, ({ host = '' }, message) => this.outlines.push({ to: host, ...message }));
    this.#record(subjects.batcherBeats, (_, message) => this.beats.push(message));
    t.teardown(() => this.#batcher?.kill());
  }

  async start(config: Record<string, unknown> = {}, plan?: Plan, id = 'batcher-1'): Promise<RunningActor> {
    if (plan) await this.store(plan);
    const write = (message: string): void => void this.logged.push(message);
    const log: Log = { debug() {}, info() {}, warn: write, error: write };
    const { clock } = this;
    const bus = this.network.connect(id);
    const random = seededRandom(1);
    this.#batcher = await this.clock.settle(
      startActor(prefixBatcher(), { bus, clock, random, log, id, config, checkOutgoing: true }),
    );
    await this.run(1);
    return this.#batcher;
  }

  /** As a leader does at the commit. */
  async store(plan: Plan): Promise<void> {
    const bucket = await this.clock.settle(this.peer.keyValue(bucketName(DEFAULT_PREFIX, BUCKETS.plan)));
    await this.clock.settle(bucket.put('current', encodeJson(plan)));
  }

  run(ms: number): Promise<void> {
    return this.clock.runFor(ms);
  }

  publish(plan: Plan): void {
    this.#say(subjects.plans, {}, plan);
  }

  beat(host: string, change: Partial<HostBeat> = {}, models: readonly string[] = [MODEL]): void {
    this.#say(subjects.hostBeats, { host }, { ...beatOf(models), ...change });
  }

  /** Offers `count` invocations; answers their ids. */
  offer(
    count: number,
    {
      router = 'router-1',
      pool = 'pool-0',
      session = SESSION,
      budgetMs = 200,
      alone = false,
      ids = this.#newIds(count),
    } = {},
  ): number[] {
    const columns = { session: ids.map(() => 0), budgetMs: ids.map(() => budgetMs), bytes: ids.map(() => 1000) };
    const apart = alone ? { alone: ids } : {};
    const offers: Offers = { v: 1, router, epoch: 1, sessions: [session], ids, ...columns, ...apart };
    this.#say(subjects.offers, { pool }, offers);
    return ids;
  }

  withdraw(ids: number[], router = 'router-1', pool = 'pool-0'): void {
    this.#say(subjects.withdrawals, { pool }, { v: 1, router, ids });
  }

  progress({ to, batch, ids, batcher, expectedMs }: Outline & { to: string }, phase: Progress['phase']): void {
    const started = phase === 'started';
    const facts = { size: ids.length, fillMs: 1, runMs: phase === 'finished' ? expectedMs : 0 };
    const rest = { freeInMs: started ? expectedMs : 0, backlog: started ? 1 : 0 };
    this.#say(subjects.progress, { batcher }, { v: 1, host: to, batch, phase, ...facts, ...rest });
  }

  raw(subject: string, message: unknown): void {
    this.peer.publish(`${DEFAULT_PREFIX}.${subject}`, encode(message));
  }

  granted(router = 'router-1'): number[] {
    return this.verdicts.filter(({ to }) => to === router).flatMap(({ grants }) => grants.flatMap(({ ids }) => ids));
  }

  dropped(reason: string): number[] {
    return this.verdicts.flatMap(({ drops }) => drops.filter(drop => drop.reason === reason).flatMap(({ ids }) => ids));
  }

  refused(reason: string): number[] {
    return this.verdicts.flatMap(({ refused }) =>
      refused.filter(refusal => refusal.reason === reason).flatMap(({ ids }) => ids),
    );
  }

  #newIds(count: number): number[] {
    return Array.from({ length: count }, () => ++this.#ids);
  }

  #say<P extends string, M>(subject: Subject<P, M, any>, params: Record<string, string>, message: M): void {
    const to = subject.at(DEFAULT_PREFIX, params as never);
    this.peer.publish(to, encode(subject.message.check(message, to)));
  }

  #record<P extends string, M>(
    subject: Subject<P, M, any>,
    keep: (params: Record<string, string>, m: M) => void,
  ): void {
    this.peer.subscribe(subject.at(DEFAULT_PREFIX), packet =>
      keep(subject.paramsOf(DEFAULT_PREFIX, packet.subject), decode(packet.data.slice()) as M),
    );
  }
}
