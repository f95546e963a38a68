import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode, realClock } from '../../bus/index.ts';
import { ConfigError, DEFAULT_PREFIX, sleep, subjects, type ClusterDocument } from '../../contracts/index.ts';
import { encodeJpeg } from '../../gpu-host/index.ts';
import { launchCluster, type LaunchedCluster } from '../cluster/index.ts';
import { openBus } from '../connection.ts';
import { bringAbout, type Hands } from './faults.ts';
import { FRAME, Load } from './load.ts';
import type { Outcome } from './outcome.ts';
import { isReady, SETTLE_MS, type Progress } from './run.ts';
import type { HostEntry, Scenario } from './scenario.ts';
import { tell } from './store.ts';
import { Watch } from './watch.ts';

const READY_MS_MAX = 120_000;
const LOOK_MS = 250;
/** A profile is replayed by its line: so far may its points lie beside it. */
const LINEAR_SHARE = 0.01;

/**
 * The same scenario in real time: a process for each actor on a NATS server, emulated devices on the real clock. The scenario's network
 * delays don't apply. What it shows is the machine that it runs on, too.
 * @throws ConfigError for what only a simulation can do
 */
export async function runForReal(
  scenario: Scenario,
  onProgress: (progress: Progress) => void = () => {},
): Promise<Outcome> {
  checkPossible(scenario);
  const folder = await mkdtemp(join(tmpdir(), 'ganglion-real-'));
  let cluster: LaunchedCluster | undefined;
  try {
    cluster = await launchCluster({ document: clusterOf(scenario), baseDir: folder, dataDir: folder });
    const bus = await openBus({ url: cluster.url, name: 'simulate' });
    const watch = new Watch({ scenario, bus, clock: realClock });
    await bus.flush();
    await tell(bus, { models: scenario.models, profiles: scenario.toldProfiles, queries: scenario.queries });
    await until(() => isReady(watch, scenario));
    // One that can be decoded: routers cut boxes out of it.
    const picture = await encodeJpeg({ ...FRAME, data: new Uint8Array(3 * FRAME.width * FRAME.height) });
    const load = new Load({ bus, clock: realClock, picture, frames: camera => watch.frames(camera) });
    const totalMs = scenario.warmupMs + scenario.durationMs;
    watch.begin();
    load.start(scenario.cameras, { seed: scenario.seed, endMs: totalMs });
    bringAbout(scenario.faults, handsOf(cluster, scenario), realClock, what => watch.note(what));
    const startedMs = realClock.nowMs();
    for (;;) {
      const atMs = realClock.nowMs() - startedMs;
      onProgress({ atMs: Math.min(atMs, totalMs), totalMs, badRate: watch.badRate });
      if (atMs >= totalMs) break;
      await sleep(realClock, Math.min(LOOK_MS, totalMs - atMs));
    }
    await sleep(realClock, SETTLE_MS);
    const outcome = watch.outcome('real');
    await bus.close();
    return outcome;
  } finally {
    await cluster?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function until(condition: () => boolean): Promise<void> {
  const limitMs = realClock.nowMs() + READY_MS_MAX;
  while (!condition()) {
    if (realClock.nowMs() > limitMs) throw new Error(`no plan came into force within ${READY_MS_MAX / 1000} s`);
    await sleep(realClock, LOOK_MS);
  }
}

function clusterOf({ hosts, routers, batchers, config }: Scenario): ClusterDocument {
  const many = (actor: 'query-router' | 'prefix-batcher', count: number): ClusterDocument['actors'] =>
    Array.from({ length: count }, (_, i) => ({ actor, name: `${actor}-${i + 1}`, config: { ...config[actor] } }));
  return {
    kind: 'Cluster',
    name: 'simulate',
    nats: { start: true, port: 0 },
    actors: [
      { actor: 'allocator', name: 'allocator', config: { ...config.allocator } },
      ...many('prefix-batcher', batchers),
      ...hosts.map(host => hostActor(host, config['gpu-host'])),
      ...many('query-router', routers),
    ],
  };
}

const hostActor = ({ name, kind, memoryMB, cores }: HostEntry, config: object): ClusterDocument['actors'][number] => ({
  actor: 'gpu-host',
  name,
  config: { ...config, device: { kind: 'emulated', name: kind, memoryMB, cores } },
});

function handsOf(cluster: LaunchedCluster, { hosts, config }: Scenario): Hands {
  let count = hosts.length;
  return {
    kill: host => cluster.kill(host),
    restart: () => {}, // its supervisor does
    freeze: host => cluster.kill(host, 'SIGSTOP'),
    thaw: host => cluster.kill(host, 'SIGCONT'),
    slow: () => {},
    drain: host => {
      const wish = encode({ v: 1, host, force: true });
      cluster.bus.request(subjects.drain.at(DEFAULT_PREFIX), wish, { timeoutMs: 5000 }).catch(() => {});
    },
    add: kind => {
      const like = hosts.find(host => kind === undefined || host.kind === kind)!;
      const host = { ...like, name: `gpu-${++count}` };
      void cluster.add(hostActor(host, config['gpu-host']));
      return host.name;
    },
  };
}

/** Processes know their device by its kind, and models by their manifests: one line for all kinds. */
function checkPossible({ faults, models, profiles }: Scenario): void {
  if (faults.some(({ kind }) => kind === 'slow'))
    throw new ConfigError('a device of another process can not be slowed down', {
      field: 'faults',
      remedy: 'leave `slow` out',
    });
  for (const { id, document } of models) {
    const { alphaMs, betaMs } = document.emulation!;
    for (const { device, points } of profiles.filter(({ model }) => model === id)) {
      const off = points.find(
        ({ batch, meanMs }) => Math.abs(alphaMs * batch + betaMs - meanMs) > LINEAR_SHARE * meanMs,
      );
      if (!off) continue;
      throw new ConfigError(
        `${document.name} on ${device} is not α·b + β at batch ${off.batch}, or another one than elsewhere`,
        {
          field: 'models',
          remedy: 'processes emulate one line for each model: use one kind of device, and alphaMs and betaMs',
        },
      );
    }
  }
}
