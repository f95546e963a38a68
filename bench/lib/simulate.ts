import { Group, type Item } from '../../actors/prefix-batcher/group.ts';
import { Host, type Booking } from '../../actors/prefix-batcher/host.ts';
import { Pool, type Batch } from '../../actors/prefix-batcher/pool.ts';
import { Fit, Lead, type Curve, type PolicyFactory } from '../../actors/prefix-batcher/policy/index.ts';
import { Seat } from '../../actors/prefix-batcher/seat.ts';
import { exponential, normal, seededRandom, type HostBeat, type Random } from '../../contracts/index.ts';

/** Hosts that all hold all of the groups, behind one queue for each group. */
export interface SimPool {
  readonly hosts: number;
  readonly groups: readonly SimGroup[];
}

/** What runs in one batch: a model, or a prefix with its suffixes. */
export interface SimGroup {
  readonly name: string;
  /** What dispatch believes; the emulated host takes the mean, unless `runMs` says how long this batch takes. */
  readonly curve: Curve;
  /** What capacity was planned with, for policies that go by it. */
  readonly batchPlanned?: number;
  /** @param counts inputs of the batch by session */
  readonly runMs?: (counts: ReadonlyMap<string, number>) => number;
}

export interface SimSession {
  readonly name: string;
  /** From arrival until its run must have ended. */
  readonly objectiveMs: number;
  readonly rateHz: number;
  readonly prefer: 'latency' | 'consolidation';
  readonly tenant?: string;
  /** Where its invocations go, by turns in proportion to the shares. */
  readonly routes: readonly { readonly pool: number; readonly group: number; readonly share: number }[];
}

export interface SimOptions {
  readonly policy: PolicyFactory;
  readonly pools: readonly SimPool[];
  readonly sessions: readonly SimSession[];
  readonly seed: number;
  /** Relative deviation of run times. Default 0. */
  readonly jitter?: number;
  /** Default 0. */
  readonly marginMsMin?: number;
  /** Time for payloads to arrive. Default 0. */
  readonly fillMs?: number;
  /** How much slower than its curve each host of a pool really is, by index. Default 1. */
  readonly slowness?: readonly number[];
  /** Invocations of a session that arrive together. Default 1. */
  readonly burst?: number;
}

/** Of one session, since the beginning. What is still queued or running is in neither. */
export interface Count {
  good: number;
  /** Late or dropped. */
  bad: number;
}

interface Job extends Item {
  readonly arrivedAtMs: number;
  readonly index: number;
}

/** One emulated host: at most one batch runs, the others wait for their payloads or the device. */
interface Device {
  readonly host: Host;
  readonly slowness: number;
  readonly granted: { booking: Booking; jobs: readonly Job[]; readyAtMs: number }[];
  running: { booking: Booking; jobs: readonly Job[]; endAtMs: number; runMs: number } | undefined;
  busyMs: number;
}

interface Running {
  readonly pool: Pool<Job>;
  readonly facts: SimPool;
  readonly devices: ReadonlyMap<Host, Device>;
  readonly beat: HostBeat;
  /** When a device or the policy wants to be asked next. */
  dueMs: number;
}

const BEAT_MS = 1000;

/**
 * Drives production pools with Poisson arrivals and emulated hosts, in simulated time. Devices are emulated and the network takes
 * no time; queues, batches, drops and bookings are those of the batcher. The same options give the same run.
 */
export class Simulation {
  readonly counts: readonly Count[];
  readonly latenciesMs: number[] = [];
  batches = 0;
  batched = 0;
  nowMs = 0;
  readonly #options: SimOptions;
  readonly #random: Random;
  readonly #pools: readonly Running[];
  /** Rates added up: who arrives next is found by halving. */
  readonly #upToHz: Float64Array;
  readonly #credits: readonly Float64Array[];
  #arrivalMs: number;
  #beatMs = BEAT_MS;

  constructor(options: SimOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.counts = options.sessions.map(() => ({ good: 0, bad: 0 }));
    this.#credits = options.sessions.map(({ routes }) => new Float64Array(routes.length));
    let sum = 0;
    this.#upToHz = Float64Array.from(options.sessions, ({ rateHz }) => (sum += rateHz));
    this.#pools = options.pools.map((pool, i) => this.#open(pool, i));
    this.#arrivalMs = this.#nextArrival();
  }

  /** Hosts that were busy for more than `share` of the time. */
  hostsBusier(share: number): number {
    const devices = this.#pools.flatMap(pool => [...pool.devices.values()]);
    return devices.filter(device => device.busyMs > share * this.nowMs).length;
  }

  runUntil(ms: number): void {
    for (;;) {
      let first: Running | undefined;
      let next = Math.min(this.#arrivalMs, this.#beatMs);
      for (const pool of this.#pools) {
        if (pool.dueMs > next) continue;
        next = pool.dueMs;
        first = pool;
      }
      if (next > ms) break;
      this.nowMs = Math.max(this.nowMs, next);
      if (first) this.#attend(first);
      else if (next === this.#beatMs) this.#beat();
      else this.#arrive();
    }
    this.nowMs = ms;
  }

  /** Whatever a pool's devices and its policy have to do now. */
  #attend(running: Running): void {
    for (const device of running.devices.values()) this.#step(running, device);
    if (this.nowMs >= running.pool.wakeAtMs) running.pool.wake(this.nowMs);
    this.#look(running);
  }

  #look(running: Running): void {
    let dueMs = running.pool.wakeAtMs;
    for (const { running: run, granted } of running.devices.values()) {
      if (run) dueMs = Math.min(dueMs, run.endAtMs);
      else if (granted[0]) dueMs = Math.min(dueMs, granted[0].readyAtMs);
    }
    running.dueMs = dueMs;
  }

  #beat(): void {
    for (const running of this.#pools) {
      for (const { host, running: run } of running.devices.values()) {
        const freeInMs = run ? Math.max(0, run.endAtMs - this.nowMs) : 0;
        host.beat({ ...running.beat, freeInMs }, this.nowMs);
      }
    }
    this.#beatMs += BEAT_MS;
  }

  #nextArrival(): number {
    const totalHz = this.#upToHz.at(-1) ?? 0;
    return totalHz > 0
      ? this.nowMs + exponential(this.#random, (1000 * (this.#options.burst ?? 1)) / totalHz)
      : Infinity;
  }

  #arrive(): void {
    const at = this.#random.next() * this.#upToHz.at(-1)!;
    let [low, high] = [0, this.#upToHz.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#upToHz[middle]! > at) high = middle;
      else low = middle + 1;
    }
    const { name, objectiveMs, prefer, tenant = '' } = this.#options.sessions[low]!;
    const session = { name, prefersLatency: prefer === 'latency', tenant };
    for (let i = 0; i < (this.#options.burst ?? 1); i++) {
      const route = this.#turn(low);
      const running = this.#pools[route.pool]!;
      const arrivedAtMs = this.nowMs;
      const job = { deadlineMs: arrivedAtMs + objectiveMs, bytes: 0, session, arrivedAtMs, index: low };
      running.pool.add(running.pool.groups[route.group]!, job, this.nowMs);
      this.#look(running);
    }
    this.#arrivalMs = this.#nextArrival();
  }

  /** Smooth weighted round robin. */
  #turn(index: number): SimSession['routes'][number] {
    const { routes } = this.#options.sessions[index]!;
    if (routes.length === 1) return routes[0]!;
    const credits = this.#credits[index]!;
    let [best, sum] = [0, 0];
    routes.forEach(({ share }, i) => {
      credits[i]! += share;
      sum += share;
      if (credits[i]! > credits[best]!) best = i;
    });
    credits[best]! -= sum;
    return routes[best]!;
  }

  #step(running: Running, device: Device): void {
    const { running: run } = device;
    if (run && run.endAtMs <= this.nowMs) {
      device.running = undefined;
      device.busyMs += run.runMs;
      for (const job of run.jobs) {
        const count = this.counts[job.index]!;
        if (this.nowMs <= job.deadlineMs + 1e-6) count.good++;
        else count.bad++;
        this.latenciesMs.push(this.nowMs - job.arrivedAtMs);
      }
      this.#tell(running, device, run.booking, 'finished', run.runMs, 0);
    }
    const [granted] = device.granted;
    if (device.running || !granted || granted.readyAtMs > this.nowMs) return;
    const { booking, jobs } = granted;
    this.batched += jobs.length;
    const jitter = this.#options.jitter ?? 0;
    const deviation = jitter === 0 ? 1 : Math.max(0.1, 1 + jitter * normal(this.#random));
    const runMs = this.#meanMs(running, booking, jobs) * device.slowness * deviation;
    device.granted.shift();
    device.running = { booking, jobs, endAtMs: this.nowMs + runMs, runMs };
    this.#tell(running, device, booking, 'started', 0, booking.expectedMs);
  }

  #meanMs({ facts }: Running, { seat }: Booking, jobs: readonly Job[]): number {
    const group = facts.groups.find(({ name }) => name === seat.model)!;
    if (!group.runMs) return seat.curve.meanMs[jobs.length]!;
    const counts = new Map<string, number>();
    for (const { session } of jobs) counts.set(session.name, (counts.get(session.name) ?? 0) + 1);
    return group.runMs(counts);
  }

  #tell(
    { pool }: Running,
    { host }: Device,
    { batch, size, seat, grant }: Booking,
    phase: 'started' | 'finished',
    runMs: number,
    freeInMs: number,
  ): void {
    const fillMs = this.#options.fillMs ?? 0;
    host.progress({ v: 1, host: host.name, batch, phase, size, fillMs, runMs, freeInMs, backlog: 0 }, this.nowMs);
    if (phase === 'finished') {
      seat.lessons.fit.observe(seat.curve.meanMs[size]!, runMs);
      if (grant) pool.finished(grant, this.nowMs);
    } else seat.lessons.lead.observe(size, 0, fillMs);
    pool.settle(this.nowMs);
  }

  #open(facts: SimPool, index: number): Running {
    const { slowness, policy } = this.#options;
    const hosts = Array.from({ length: facts.hosts }, (_, i) => new Host(`host-${index}-${i}`));
    const devices = new Map<Host, Device>(
      hosts.map((host, i) => [
        host,
        { host, slowness: slowness?.[i] ?? 1, granted: [], running: undefined, busyMs: 0 },
      ]),
    );
    const groups = facts.groups.map((group, i) => this.#group(group, hosts, index, i));
    const beat = emulatedBeat(facts.groups.map(({ name }) => name));
    for (const host of hosts) host.beat(beat, 0);
    const pool = new Pool<Job>({
      name: `pool-${index}`,
      groups,
      hosts,
      policy: policy(),
      effects: {
        drop: jobs => {
          for (const { index: session } of jobs) this.counts[session]!.bad++;
        },
        grant: batch => this.#book(devices, batch),
      },
    });
    return { pool, facts, devices, beat, dueMs: Infinity };
  }

  #book(devices: ReadonlyMap<Host, Device>, { seat, items, startAtMs, grant }: Batch<Job>): void {
    const device = devices.get(seat.host)!;
    const booking: Booking = {
      batch: String(++this.batches),
      pool: 'simulated',
      seat,
      size: items.length,
      bytes: 0,
      meanMs: seat.meanMs(items),
      expectedMs: seat.expectedMs(items.length),
      grantedAtMs: startAtMs,
      startAtMs,
      startByMs: startAtMs + BEAT_MS,
      grant,
    };
    seat.host.grant(booking);
    device.granted.push({ booking, jobs: items, readyAtMs: this.nowMs + (this.#options.fillMs ?? 0) });
  }

  #group({ name, curve, batchPlanned }: SimGroup, hosts: readonly Host[], pool: number, index: number): Group<Job> {
    const members = this.#options.sessions.flatMap(({ routes, rateHz, objectiveMs }) => {
      const whole = routes.reduce((sum, { share }) => sum + share, 0);
      const here = routes.filter(route => route.pool === pool && route.group === index);
      return here.map(({ share }) => ({ rateHz: (rateHz * share) / whole, objectiveMs }));
    });
    const group = new Group<Job>({
      models: [name],
      rateHz: members.reduce((sum, { rateHz }) => sum + rateHz, 0),
      budgetMs: Math.min(...members.map(({ objectiveMs }) => objectiveMs)),
      batchPlanned,
    });
    const { fillMs = 0, marginMsMin = 0 } = this.#options;
    group.seats = hosts.map(host => {
      const lead = new Lead({ ways: { transitMs: 0 }, fixedMs: fillMs, bytesPerMs: 1e5, perItemMs: 0, maxMs: 50 });
      const lessons = { fit: new Fit(), lead };
      const seat = new Seat({
        host,
        model: name,
        curve,
        lessons,
        marginMsMin,
        usual: { bytesPerItem: 0, budgetMs: Infinity },
      });
      host.seats = [...host.seats, seat];
      return seat;
    });
    return group;
  }
}

/** The beat of an idle emulated host that holds these. */
export function emulatedBeat(models: readonly string[]): HostBeat {
  const device = {
    kind: 'gpu',
    provider: 'emulated',
    asked: [],
    tried: [],
    emulated: true,
    memoryBytes: 0,
    threads: 0,
  };
  const residents = models.map(model => {
    const empty = { batches: [], lane: 0, persistentBytes: 0, ephemeralBytes: 0, queued: 0 };
    return { model, state: 'resident' as const, ...empty };
  });
  const counts = { batches: 0, invocations: 0, refused: 0, dropped: 0, failed: 0, busyMs: 0, persistentBytes: 0 };
  const rest = { rssBytes: 0, loopDelayP99Ms: 0, ephemeralBytes: 0, freeInMs: 0, backlog: 0 };
  return { v: 1, state: 'ready', incarnation: 'a', device, epoch: 1, nonce: 'n', residents, ...counts, ...rest };
}
