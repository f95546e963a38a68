import { Group, type Item } from '../../actors/prefix-batcher/group.ts';
import { Host } from '../../actors/prefix-batcher/host.ts';
import { Pool, type Batch } from '../../actors/prefix-batcher/pool.ts';
import {
  curveOf,
  Fit,
  hybrid,
  Lead,
  usualCurve,
  type PolicyFactory,
} from '../../actors/prefix-batcher/policy/index.ts';
import { Seat, type SeatSettings } from '../../actors/prefix-batcher/seat.ts';
import { emulatedBeat } from '../../bench/lib/simulate.ts';
import type { HostBeat, Progress } from '../../contracts/index.ts';

export interface StandModel {
  readonly name: string;
  readonly alphaMs: number;
  readonly betaMs: number;
  readonly batchMax: number;
  /** Default: all at once. */
  readonly runMax?: number;
  readonly budgetMs: number;
  readonly rateHz?: number;
  readonly prefer?: 'latency' | 'consolidation';
  /** Default: the stand's. */
  readonly leadMs?: number;
  /** Names of the hosts that hold it. Default: all. */
  readonly on?: readonly string[];
  /** A member of the prefix group: its curve is that of its suffix, its batchMax the prefix's. */
  readonly behind?: boolean;
}

/** What the members of the prefix group share. */
export interface StandTrunk {
  readonly alphaMs: number;
  readonly betaMs: number;
  readonly batchMax: number;
}
const TRUNK = 'prefix/000000000000';

export interface StandItem extends Item {
  readonly id: number;
}

export interface StandGrant {
  readonly host: string;
  readonly model: string;
  /** Of each id. */
  readonly models: readonly string[];
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
  readonly #groupOf = new Map<string, Group<StandItem>>();
  /** `host model` that the host does not hold now, whatever the plan says. */
  readonly #away = new Set<string>();
  #ids = 0;

  constructor(options: {
    models: readonly StandModel[];
    hosts: readonly string[];
    policy?: PolicyFactory;
    leadMs?: number;
    marginMs?: number;
    trunk?: StandTrunk;
    onDrop?: (items: readonly StandItem[]) => void;
  }) {
    this.#models = options.models;
    this.hosts = options.hosts.map(name => new Host(name));
    const margins = { leadMs: options.leadMs ?? 0, marginMs: options.marginMs ?? 0 };
    const members = options.models.filter(({ behind }) => behind);
    if (members.length > 0) this.#mixedGroup(members, options.trunk!, margins);
    for (const model of options.models) if (!model.behind) this.#group(model, margins);
    this.groups = [...new Set(this.#groupOf.values())];
    for (const host of this.hosts) this.beat(host.name, 0);
    this.pool = new Pool<StandItem>({
      name: 'pool-0',
      groups: this.groups,
      hosts: this.hosts,
      policy: (options.policy ?? hybrid)(),
      effects: {
        drop: items => {
          options.onDrop?.(items);
          this.dropped.push(...items.map(({ id }) => id));
        },
        grant: batch => this.#grant(batch),
      },
    });
  }

  /** One arrival; answers its id. */
  offer(atMs: number, options: { model?: string; budgetMs?: number; id?: number; alone?: boolean } = {}): number {
    const model = this.#models.find(({ name }) => name === (options.model ?? this.#models[0]!.name))!;
    const { name } = model;
    const group = this.#groupOf.get(name)!;
    const id = options.id ?? ++this.#ids;
    const prefersLatency = (model.prefer ?? 'latency') === 'latency';
    const deadlineMs = atMs + (options.budgetMs ?? model.budgetMs);
    const session = { name, prefersLatency, member: group.models.indexOf(name) };
    const { alone = false } = options;
    this.pool.add(group, { id, deadlineMs, arrivedAtMs: atMs, bytes: 0, session, alone }, atMs);
    return id;
  }

  /** From its next beat on, the host holds a model that the plan gives it, or does not (yet). */
  hold(host: string, model: string, held: boolean): void {
    if (held) this.#away.delete(`${host} ${model}`);
    else this.#away.add(`${host} ${model}`);
  }

  holds(host: string, model: string): boolean {
    const { on } = this.#models.find(({ name }) => name === model)!;
    return (!on || on.includes(host)) && !this.#away.has(`${host} ${model}`);
  }

  /** As its latest beat told, unless it refused a batch since. */
  heldAtBeat(host: string, model: string): boolean {
    const group = this.#groupOf.get(model)!;
    return group.seatOn(this.#host(host))?.holds(group.models.indexOf(model)) ?? false;
  }

  beat(host: string, atMs: number, change: Partial<HostBeat> = {}): void {
    const models = this.#models.map(({ name }) => name).filter(name => this.holds(host, name));
    this.#host(host).beat({ ...beatOf([TRUNK, ...models]), ...change }, atMs);
  }

  /** The host starts, finishes or refuses the batch that it was granted latest. */
  tell(host: string, phase: Progress['phase'], atMs: number, change: Partial<Progress> = {}): void {
    const { batch, ids, expectedMs } = this.grants.findLast(grant => grant.host === host)!;
    const rest = { freeInMs: phase === 'started' ? expectedMs : 0, backlog: phase === 'started' ? 1 : 0 };
    const facts = { size: ids.length, fillMs: 0, runMs: phase === 'finished' ? expectedMs : 0 };
    const booking = this.#host(host).progress({ v: 1, host, batch, phase, ...facts, ...rest, ...change }, atMs);
    if (phase === 'finished' && booking?.grant) this.pool.finished(booking.grant, atMs);
    this.pool.settle(atMs);
  }

  #host(name: string): Host {
    return this.hosts.find(host => host.name === name)!;
  }

  #grant({ group, seat, items, startAtMs, latestAtMs, grant }: Batch<StandItem>): void {
    const batch = `batch-${this.grants.length + 1}`;
    const meanMs = seat.meanMs(items);
    const expectedMs = seat.lessons.fit.expectedMs(meanMs);
    const host = seat.host.name;
    const size = items.length;
    seat.host.grant({
      batch,
      pool: 'pool-0',
      seat,
      size,
      bytes: 0,
      meanMs,
      expectedMs,
      grantedAtMs: startAtMs,
      startAtMs,
      startByMs: startAtMs + 1000,
      alone: items[0]!.alone ?? false,
      grant,
    });
    const ids = items.map(({ id }) => id);
    const models = items.map(({ session }) => session.name);
    this.grants.push({ host, model: group.models[0]!, models, ids, startAtMs, latestAtMs, expectedMs, batch });
  }

  #group(model: StandModel, margins: Margins): void {
    const { name, budgetMs, rateHz = 1, batchMax, runMax = batchMax, on, leadMs } = model;
    const group = new Group<StandItem>({ models: [name], rateHz, budgetMs });
    const curve = curveOn(model, batchMax, runMax);
    group.seats = this.hosts
      .filter(host => !on || on.includes(host.name))
      .map(host =>
        this.#seat({ host, model: name, curve, runMax }, { ...margins, ...(leadMs === undefined ? {} : { leadMs }) }),
      );
    this.#groupOf.set(name, group);
  }

  #mixedGroup(members: readonly StandModel[], trunk: StandTrunk, margins: Margins): void {
    const models = members.map(({ name }) => name);
    const budgetMs = Math.min(...members.map(member => member.budgetMs));
    const rateHz = members.reduce((sum, member) => sum + (member.rateHz ?? 1), 0);
    const shares = members.map(member => (member.rateHz ?? 1) / rateHz);
    const group = new Group<StandItem>({ models, rateHz, budgetMs, shares });
    group.seats = this.hosts.flatMap(host => {
      const here = members.map(({ on }) => !on || on.includes(host.name));
      if (!here.includes(true)) return [];
      const { batchMax } = trunk;
      const suffixCurves = members.map((member, i) => (here[i] ? curveOn(member, batchMax) : undefined));
      const mix = { prefix: curveOn(trunk, batchMax), suffixes: suffixCurves };
      const suffixes = models.map((name, i) => (here[i] ? name : undefined));
      const curve = usualCurve(mix, shares);
      return this.#seat({ host, model: TRUNK, curve, mixture: { mix, prefix: TRUNK, suffixes } }, margins);
    });
    for (const name of models) this.#groupOf.set(name, group);
  }

  #seat(
    facts: Pick<SeatSettings, 'host' | 'model' | 'curve' | 'mixture' | 'runMax'>,
    { leadMs, marginMs }: Margins,
  ): Seat {
    const lead = new Lead({ ways: { transitMs: 0 }, fixedMs: leadMs, bytesPerMs: 1e5, perItemMs: 0, maxMs: 50 });
    const lessons = { fit: new Fit(), lead };
    const seat = new Seat({ ...facts, lessons, marginMsMin: marginMs, usual: { bytesPerItem: 0, budgetMs: Infinity } });
    facts.host.seats = [...facts.host.seats, seat];
    return seat;
  }
}

interface Margins {
  readonly leadMs: number;
  readonly marginMs: number;
}

const curveOn = (model: { alphaMs: number; betaMs: number }, batchMax: number, runMax = batchMax) =>
  curveOf({ points: [1, batchMax].map(batch => pointAt(model, batch)) }, batchMax, runMax);

const pointAt = ({ alphaMs, betaMs }: { alphaMs: number; betaMs: number }, batch: number) => {
  const meanMs = alphaMs * batch + betaMs;
  return { batch, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: 0, repeats: 1 };
};

/** Of a host that isn't an emulated one. */
export function beatOf(models: readonly string[]): HostBeat {
  const beat = emulatedBeat(models);
  return { ...beat, device: { ...beat.device, emulated: false } };
}
