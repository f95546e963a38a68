import { Group, type Item } from '../../actors/prefix-batcher/group.ts';
import { Host, type Booking } from '../../actors/prefix-batcher/host.ts';
import { Pool, type Batch } from '../../actors/prefix-batcher/pool.ts';
import { curveOf, Fit, Lead, type PolicyFactory } from '../../actors/prefix-batcher/policy/index.ts';
import { Seat } from '../../actors/prefix-batcher/seat.ts';
import { exponential, normal, seededRandom, type HostBeat, type Random } from '../../contracts/index.ts';
import { beatOf } from './stand.ts';

export interface SimModel {
  readonly name: string;
  /** ℓ(b) = α·b + β, ms. */
  readonly alphaMs: number;
  readonly betaMs: number;
  readonly batchMax: number;
  readonly objectiveMs: number;
  readonly rateHz: number;
  readonly prefer: 'latency' | 'consolidation';
}

export interface SimOptions {
  readonly policy: PolicyFactory;
  readonly models: readonly SimModel[];
  readonly hosts: number;
  readonly ms: number;
  readonly seed: number;
  /** Relative deviation of run times. Default 0. */
  readonly jitter?: number;
  readonly marginMsMin?: number;
  /** Time for payloads to arrive. Default 0. */
  readonly fillMs?: number;
  /** How much slower than its profile each host really is, by index. Default 1. */
  readonly slowness?: readonly number[];
  /** Invocations that arrive together. Default 1. */
  readonly burst?: number;
}

export interface SimReport {
  readonly goodShare: number;
  readonly worstModelGoodShare: number;
  readonly meanBatch: number;
  readonly p50Ms: number;
  /** Hosts that were busy more than 1 % of the time. */
  readonly hostsUsed: number;
}

interface Job extends Item {
  readonly arrivedMs: number;
  readonly model: number;
}

/** What happens on one emulated host: at most one batch runs, at most one waits for its payloads or the device. */
interface Device {
  readonly host: Host;
  readonly slowness: number;
  granted: { booking: Booking; jobs: readonly Job[]; readyAtMs: number } | undefined;
  running: { booking: Booking; jobs: readonly Job[]; endAtMs: number; runMs: number } | undefined;
  busyMs: number;
}

/** Drives a pool with Poisson arrivals and emulated hosts, in simulated time. The same options give the same report. */
export function simulate(options: SimOptions): SimReport {
  const random = seededRandom(options.seed);
  const fillMs = options.fillMs ?? 0;
  const devices = Array.from({ length: options.hosts }, (_, i): Device => {
    const host = new Host(`host-${i}`);
    const slowness = options.slowness?.[i] ?? 1;
    return { host, slowness, granted: undefined, running: undefined, busyMs: 0 };
  });
  const good = options.models.map(() => 0);
  const total = options.models.map(() => 0);
  const latencies: number[] = [];
  let [batches, batched, nowMs] = [0, 0, 0];

  const groups = options.models.map(model => groupOf(model, devices, options));
  const residents = beatOf(options.models.map(model => model.name));
  const beat: HostBeat = { ...residents, device: { ...residents.device, emulated: true } };
  for (const { host } of devices) host.beat(beat, 0);
  const pool = new Pool<Job>({
    name: 'pool-0',
    groups,
    hosts: devices.map(device => device.host),
    policy: options.policy(),
    effects: {
      drop: () => {},
      grant: batch => book(batch),
    },
  });
  const book = ({ seat, items, startAtMs }: Batch<Job>): void => {
    const device = devices.find(({ host }) => host === seat.host)!;
    if (device.granted) throw new Error('two ahead');
    const booking: Booking = {
      batch: String(++batches),
      pool: 'pool-0',
      seat,
      size: items.length,
      bytes: 0,
      expectedMs: seat.expectedMs(items.length),
      startAtMs,
      startByMs: startAtMs + 1000,
    };
    seat.host.grant(booking);
    device.granted = { booking, jobs: items, readyAtMs: nowMs + fillMs };
  };

  const arrivals = options.models.map((model, i) => nextArrival(random, model, options, 0, i));
  let nextBeatMs = 1000;
  for (;;) {
    const arrival = arrivals.reduce((first, other) => (other.atMs < first.atMs ? other : first));
    const next = devices.reduce(
      (first, d) => Math.min(first, dueOf(d)),
      Math.min(arrival.atMs, pool.wakeAtMs, nextBeatMs),
    );
    if (next > options.ms) break;
    nowMs = Math.max(nowMs, next);
    for (const device of devices) step(device);
    if (nowMs >= nextBeatMs) {
      for (const { host, running } of devices) {
        const freeInMs = running ? Math.max(0, running.endAtMs - nowMs) : 0;
        host.beat({ ...beat, freeInMs }, nowMs);
      }
      nextBeatMs += 1000;
    }
    if (nowMs >= pool.wakeAtMs) pool.settle(nowMs);
    if (nowMs >= arrival.atMs) {
      arrive(arrival.model);
      arrivals[arrival.model] = nextArrival(random, options.models[arrival.model]!, options, nowMs, arrival.model);
    }
  }

  function arrive(model: number): void {
    const { objectiveMs, prefer } = options.models[model]!;
    for (let i = 0; i < (options.burst ?? 1); i++) {
      total[model]!++;
      const session = { name: options.models[model]!.name, prefersLatency: prefer === 'latency' };
      pool.add(groups[model]!, { deadlineMs: nowMs + objectiveMs, bytes: 0, session, arrivedMs: nowMs, model }, nowMs);
    }
  }
  function step(device: Device): void {
    const { running } = device;
    if (running && running.endAtMs <= nowMs) {
      device.running = undefined;
      device.busyMs += running.runMs;
      for (const job of running.jobs) {
        if (nowMs <= job.deadlineMs + 1e-6) good[job.model]!++;
        latencies.push(nowMs - job.arrivedMs);
      }
      tell(device, running.booking, 'finished', running.runMs, 0);
    }
    const { granted } = device;
    if (device.running || !granted || granted.readyAtMs > nowMs) return;
    const { booking, jobs } = granted;
    batched += jobs.length;
    const meanMs = booking.seat.curve.meanMs[jobs.length]! * device.slowness;
    const runMs = meanMs * Math.max(0.1, 1 + (options.jitter ?? 0) * normal(random));
    device.granted = undefined;
    device.running = { booking, jobs, endAtMs: nowMs + runMs, runMs };
    tell(device, booking, 'started', 0, booking.expectedMs);
  }
  function tell(
    device: Device,
    booking: Booking,
    phase: 'started' | 'finished',
    runMs: number,
    freeInMs: number,
  ): void {
    const { host } = device;
    const { batch, size, seat } = booking;
    host.progress({ v: 1, host: host.name, batch, phase, size, fillMs, runMs, freeInMs, backlog: 0 }, nowMs);
    if (phase === 'finished') seat.lessons.fit.observe(seat.curve.meanMs[size]!, runMs);
    else seat.lessons.lead.observe(size, 0, fillMs);
    pool.settle(nowMs);
  }

  const shares = good.map((count, i) => count / Math.max(1, total[i]! - inTheAir(pool, devices, i)));
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const ended = sum(total) - options.models.reduce((n, _, i) => n + inTheAir(pool, devices, i), 0);
  latencies.sort((a, b) => a - b);
  return {
    goodShare: sum(good) / ended,
    worstModelGoodShare: Math.min(...shares),
    meanBatch: batched / Math.max(1, batches),
    p50Ms: latencies[latencies.length >> 1] ?? 0,
    hostsUsed: devices.filter(device => device.busyMs > 0.01 * options.ms).length,
  };
}

const dueOf = ({ running, granted }: Device): number =>
  running ? running.endAtMs : granted ? granted.readyAtMs : Infinity;

/** Of a model, what is queued, granted or running: it counts neither as good nor as bad. */
const inTheAir = (pool: Pool<Job>, devices: readonly Device[], model: number): number =>
  pool.groups[model]!.queue.length +
  devices.reduce((n, { running, granted }) => n + countOf(running?.jobs, model) + countOf(granted?.jobs, model), 0);
const countOf = (jobs: readonly Job[] | undefined, model: number): number =>
  jobs?.filter(job => job.model === model).length ?? 0;

function nextArrival(random: Random, model: SimModel, options: SimOptions, nowMs: number, index: number) {
  const gapMs = (1000 * (options.burst ?? 1)) / model.rateHz;
  return { atMs: nowMs + exponential(random, gapMs), model: index };
}

function groupOf(model: SimModel, devices: readonly Device[], options: SimOptions): Group<Job> {
  const { name, alphaMs, betaMs, batchMax, rateHz, objectiveMs } = model;
  const points = [1, batchMax].map(batch => {
    const meanMs = alphaMs * batch + betaMs;
    const stdMs = meanMs * (options.jitter ?? 0);
    return { batch, meanMs, stdMs, p99Ms: meanMs, ephemeralBytes: 0, repeats: 1 };
  });
  const curve = curveOf({ points }, batchMax);
  const group = new Group<Job>({ models: [name], rateHz, budgetMs: objectiveMs });
  group.seats = devices.map(({ host }) => {
    const lead = new Lead({ transitMs: 0, fixedMs: options.fillMs ?? 0, bytesPerMs: 1e5, perItemMs: 0, maxMs: 50 });
    const lessons = { fit: new Fit(), lead };
    const marginMsMin = options.marginMsMin ?? 0;
    const seat = new Seat({ host, model: name, curve, lessons, marginMsMin, bytesPerItem: () => 0 });
    host.seats = [...host.seats, seat];
    return seat;
  });
  return group;
}
