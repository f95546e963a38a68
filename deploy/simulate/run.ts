import { encode } from '../../bus/index.ts';
import { DEFAULT_PREFIX, exponential, subjects, type Bus, type Profile } from '../../contracts/index.ts';
import { bringAbout, type Hands } from './faults.ts';
import { Gate, gatedBus, processClock } from './gate.ts';
import { FRAME, Load } from './load.ts';
import type { Outcome } from './outcome.ts';
import { hostName, randomFor, type HostEntry, type Scenario } from './scenario.ts';
import { ProcessorWatch, type ProcessorTime } from './processor.ts';
import { Watch } from './watch.ts';
import { World, type WorldOptions } from './world.ts';

/** A plan for all queries, loaded everywhere, must be in force within this virtual time. */
const READY_MS_MAX = 300_000;
/** So often it is said how far a run is, virtual. */
const PROGRESS_MS = 1000;
/** After the last frame, besides the longest objective: what is under way ends, silent hosts are given up. */
export const SETTLE_MS = 5000;

export interface Progress {
  /** Virtual time since the streams began, and the time until the end of the run. */
  readonly atMs: number;
  readonly totalMs: number;
  readonly badRate: number;
}

export interface SimulateOptions extends Pick<WorldOptions, 'messages'> {
  /** Asks for what the run takes of the processor; that is no part of the outcome, for it is never the same twice. */
  readonly onProcessor?: ((time: ProcessorTime) => void) | undefined;
}

/** Runs a scenario on the simulated bus in virtual time. The same scenario gives the same outcome. */
export async function simulate(
  scenario: Scenario,
  onProgress: (progress: Progress) => void = () => {},
  options: SimulateOptions = {},
): Promise<Outcome> {
  const { onProcessor, ...given } = options;
  const processor = onProcessor && new ProcessorWatch();
  const world = worldOf(scenario, given);
  const { clock } = world;
  const watch = new Watch({ scenario, bus: world.network.connect('watch'), clock });
  try {
    await world.tell({ models: scenario.models, profiles: scenario.toldProfiles, queries: scenario.queries });
    const hands = await people(world, scenario);
    await clock.runUntilTrue(() => {
      world.checkAlive();
      return isReady(watch, scenario);
    }, READY_MS_MAX);
    watch.begin();
    await processor?.start();
    const load = new Load({
      bus: world.network.connect('cameras'),
      clock,
      picture: { encoding: 'jpeg', ...FRAME, data: new Uint8Array(scenario.frameBytes) },
      frames: camera => watch.frames(camera),
    });
    const totalMs = scenario.warmupMs + scenario.durationMs;
    load.start(scenario.cameras, { seed: scenario.seed, endMs: totalMs });
    bringAbout(scenario.faults, hands, clock, what => watch.note(what));
    for (let atMs = 0; atMs < totalMs; ) {
      const stepMs = Math.min(PROGRESS_MS, totalMs - atMs);
      await clock.runFor(stepMs);
      world.checkAlive();
      atMs += stepMs;
      onProgress({ atMs, totalMs, badRate: watch.badRate });
      processor?.look();
    }
    if (processor) onProcessor({ ...(await processor.stop()), virtualMs: totalMs, requests: watch.requests });
    await clock.runFor(SETTLE_MS + Math.max(...scenario.queries.map(({ objectiveMs }) => objectiveMs)));
    return watch.outcome('virtual');
  } finally {
    await world.stopAll();
  }
}

/** A plan says of each query that it is served, or why not. */
export function isReady({ plan }: Watch, { queries }: Scenario): boolean {
  return plan !== undefined && plan.queries.length + plan.refused.length === queries.length;
}

function worldOf(scenario: Scenario, options: Pick<WorldOptions, 'messages'>): World {
  const { seed, frameBytes, own } = scenario;
  const { oneWayMs, jitterMs } = scenario.network;
  const random = randomFor(seed, 'network');
  const latencyMs = jitterMs === 0 ? oneWayMs : () => oneWayMs + exponential(random, jitterMs);
  return new World({ seed, latencyMs, cropBytesMax: frameBytes, own, ...options });
}

/** Starts all actors; what befalls the hosts is in the hands that it gives back. */
async function people(world: World, scenario: Scenario): Promise<Hands> {
  const { config, hosts, routers, batchers } = scenario;
  await world.allocator('allocator-1', config.allocator);
  for (let i = 1; i <= batchers; i++) await world.batcher(`batcher-${i}`, config['prefix-batcher']);
  const slowness = new Map<string, number>();
  const gates = new Map(
    scenario.faults.flatMap(fault => (fault.kind === 'freeze' ? [[fault.host, new Gate(world.clock)] as const] : [])),
  );
  const profiles = profilesByKind(scenario);
  const launch = async ({ name, kind, memoryMB, cores }: HostEntry): Promise<void> => {
    const gate = gates.get(name);
    const standing = gate
      ? { clock: processClock(world.clock, gate), bus: (bus: Bus): Bus => gatedBus(bus, gate) }
      : {};
    const options = { kind, memoryMB, cores, config: config['gpu-host'], profiles: profiles.get(kind) ?? new Map() };
    await world.launchHost(name, { ...options, slowness: () => slowness.get(name) ?? 1 }, standing);
  };
  await world.clock.settle(Promise.all(hosts.map(launch)));
  for (let i = 1; i <= routers; i++) await world.router(`router-${i}`, config['query-router']);
  const known = new Map(hosts.map(host => [host.name, host]));
  return {
    kill: host => world.crash(host),
    restart: host => {
      if (!world.runs(host)) void launch(known.get(host)!);
    },
    freeze: host => gates.get(host)!.freeze(),
    thaw: host => gates.get(host)!.thaw(),
    slow: (host, factor) => void slowness.set(host, factor),
    drain: host => {
      const wish = encode({ v: 1, host, force: true });
      world.admin.request(subjects.drain.at(DEFAULT_PREFIX), wish, { timeoutMs: 5000 }).catch(() => {});
    },
    add: kind => {
      const like = hosts.find(host => kind === undefined || host.kind === kind)!;
      const host = { ...like, name: hostName(known.size + 1) };
      known.set(host.name, host);
      void launch(host);
      return host.name;
    },
  };
}

function profilesByKind({ profiles }: Scenario): Map<string, Map<string, Profile>> {
  const kinds = new Map<string, Map<string, Profile>>();
  for (const profile of profiles) {
    const ofKind = kinds.get(profile.device) ?? new Map<string, Profile>();
    kinds.set(profile.device, ofKind.set(profile.model, profile));
  }
  return kinds;
}
