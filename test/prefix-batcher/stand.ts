import { Group, type Item } from '../../actors/prefix-batcher/group.ts';
import { Host } from '../../actors/prefix-batcher/host.ts';
import { Pool, type Batch } from '../../actors/prefix-batcher/pool.ts';
import { curveOf, Fit, hybrid, Lead, type PolicyFactory } from '../../actors/prefix-batcher/policy/index.ts';
import { Seat } from '../../actors/prefix-batcher/seat.ts';
import { emulatedBeat } from '../../bench/lib/simulate.ts';
import type { HostBeat, Progress } from '../../contracts/index.ts';

export interface StandModel {
  readonly name: string;
  readonly alphaMs: number;
  readonly betaMs: number;
  readonly batchMax: number;
  readonly budgetMs: number;
  readonly rateHz?: number;
  readonly prefer?: 'latency' | 'consolidation';
  /** Names of the hosts that hold it. Default: all. */
  readonly on?: readonly string[];
}

export interface StandItem extends Item {
  readonly id: number;
}

export interface StandGrant {
  readonly host: string;
  readonly model: string;
  readonly ids: readonly number[];
  readonly startAtMs: number;
  readonly latestAtMs: number;
  readonly expectedMs: number;
  readonly batch: string;
}

/** A pool on a test stand: time is told, what it decides is recorded. Hosts idle and hold their models unless told otherwise. */
export class Stand {
  readonly pool: Pool<StandItem>;
  readonly groups: readonly Group<StandItem>[];
  readonly hosts: readonly Host[];
  readonly grants: StandGrant[] = [];
  readonly dropped: number[] = [];
  readonly #models: readonly StandModel[];
  #ids = 0;

  constructor(options: {
    models: readonly StandModel[];
    hosts: readonly string[];
    policy?: PolicyFactory;
    leadMs?: number;
    marginMs?: number;
  }) {
    this.#models = options.models;
    this.hosts = options.hosts.map(name => new Host(name));
    this.groups = options.models.map(model => this.#group(model, options.leadMs ?? 0, options.marginMs ?? 0));
    for (const host of this.hosts) this.beat(host.name, 0);
    this.pool = new Pool<StandItem>({
      name: 'pool-0',
      groups: this.groups,
      hosts: this.hosts,
      policy: (options.policy ?? hybrid)(),
      effects: {
        drop: items => this.dropped.push(...items.map(({ id }) => id)),
        grant: batch => this.#grant(batch),
      },
    });
  }

  /** One arrival; answers its id. */
  offer(atMs: number, options: { model?: string; budgetMs?: number; id?: number } = {}): number {
    const index = this.#models.findIndex(({ name }) => name === (options.model ?? this.#models[0]!.name));
    const model = this.#models[index]!;
    const id = options.id ?? ++this.#ids;
    const session = { name: model.name, prefersLatency: (model.prefer ?? 'latency') === 'latency' };
    const deadlineMs = atMs + (options.budgetMs ?? model.budgetMs);
    this.pool.add(this.groups[index]!, { id, deadlineMs, bytes: 0, session }, atMs);
    return id;
  }

  beat(host: string, atMs: number, change: Partial<HostBeat> = {}): void {
    const models = this.#models.filter(({ on }) => !on || on.includes(host)).map(({ name }) => name);
    this.#host(host).beat({ ...beatOf(models), ...change }, atMs);
  }

  /** The host starts, finishes or refuses the batch that it was granted latest. */
  tell(host: string, phase: Progress['phase'], atMs: number, change: Partial<Progress> = {}): void {
    const { batch, ids, expectedMs } = this.grants.findLast(grant => grant.host === host)!;
    const rest = { freeInMs: phase === 'started' ? expectedMs : 0, backlog: phase === 'started' ? 1 : 0 };
    const facts = { size: ids.length, fillMs: 0, runMs: phase === 'finished' ? expectedMs : 0 };
    this.#host(host).progress({ v: 1, host, batch, phase, ...facts, ...rest, ...change }, atMs);
    this.pool.settle(atMs);
  }

  #host(name: string): Host {
    return this.hosts.find(host => host.name === name)!;
  }

  #grant({ group, seat, items, startAtMs, latestAtMs }: Batch<StandItem>): void {
    const batch = `batch-${this.grants.length + 1}`;
    const expectedMs = seat.expectedMs(items.length);
    const host = seat.host.name;
    const size = items.length;
    seat.host.grant({
      batch,
      pool: 'pool-0',
      seat,
      size,
      bytes: 0,
      expectedMs,
      startAtMs,
      startByMs: startAtMs + 1000,
    });
    const ids = items.map(({ id }) => id);
    this.grants.push({ host, model: group.models[0]!, ids, startAtMs, latestAtMs, expectedMs, batch });
  }

  #group(model: StandModel, leadMs: number, marginMsMin: number): Group<StandItem> {
    const { name, budgetMs, rateHz = 1, batchMax, on } = model;
    const group = new Group<StandItem>({ models: [name], rateHz, budgetMs });
    const curve = curveOf({ points: [1, batchMax].map(batch => pointAt(model, batch)) }, batchMax);
    group.seats = this.hosts
      .filter(host => !on || on.includes(host.name))
      .map(host => {
        const lead = new Lead({ transitMs: 0, fixedMs: leadMs, bytesPerMs: 1e5, perItemMs: 0, maxMs: 50 });
        const lessons = { fit: new Fit(), lead };
        const seat = new Seat({ host, model: name, curve, lessons, marginMsMin, bytesPerItem: () => 0 });
        host.seats = [...host.seats, seat];
        return seat;
      });
    return group;
  }
}

const pointAt = ({ alphaMs, betaMs }: StandModel, batch: number) => {
  const meanMs = alphaMs * batch + betaMs;
  return { batch, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: 0, repeats: 1 };
};

/** Of a host that isn't an emulated one. */
export function beatOf(models: readonly string[]): HostBeat {
  const beat = emulatedBeat(models);
  return { ...beat, device: { ...beat.device, emulated: false } };
}
