import { encode, realClock } from '../../bus/index.ts';
import { describeError, sleep, subjects, type ClusterDocument } from '../../contracts/index.ts';
import { readConfig } from '../apply/index.ts';
import { launchCluster, type ClusterEvent, type LaunchedCluster } from '../cluster/index.ts';
import { faultsOf, nameOf, type Fault } from './faults.ts';
import { judge, type Verdict } from './judge.ts';
import { Load, type Camera } from './load.ts';
import type { ChaosDocument } from './schema.ts';

export interface ChaosOptions {
  readonly document: ChaosDocument;
  readonly cluster: ClusterDocument;
  /** Folder that paths of the cluster's file are relative to. */
  readonly baseDir: string;
  readonly cameras: readonly Camera[];
  readonly tenant: string;
  readonly natsUrl?: string;
  readonly dataDir?: string;
  readonly onEvent?: (event: ClusterEvent) => void;
  /** What is done, as it is done. */
  readonly note?: (atMs: number, what: string) => void;
  readonly cancelled?: Promise<void>;
}

const DEFAULTS = { warmupS: 120, settleS: 35 };
const LOOK_MS = 100;
/** Requests published so shortly before a fault may be under way when it comes. */
const UNDER_WAY_MS = 1000;
const DRAIN_MS = 5000;

/**
 * Starts the cluster, lets frames flow, does what the scenario says to the processes that it started (to no others), and
 * tells what became of each frame. All is stopped again, whatever happens. @throws Error when the queries don't answer in time
 */
export async function runChaos(options: ChaosOptions): Promise<Verdict> {
  const { document, cluster, baseDir, cameras, tenant, note = () => {} } = options;
  const launched = await launchCluster({
    document: cluster,
    baseDir,
    tenant,
    logLevel: 'warn',
    ...(options.onEvent ? { onEvent: options.onEvent } : {}),
    ...(options.natsUrl === undefined ? {} : { natsUrl: options.natsUrl }),
    ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
    ...(options.cancelled ? { cancelled: options.cancelled } : {}),
  });
  let isCancelled = false;
  void options.cancelled?.then(() => (isCancelled = true));
  const load = new Load(launched.bus, { prefix: launched.prefix, tenant });
  const frozen = new Set<string>();
  try {
    await load.keep((await readConfig(launched.bus, launched.prefix)).queries);
    load.start(cameras);
    const { warmupS = DEFAULTS.warmupS, settleS = DEFAULTS.settleS, durationS } = document;
    const queries = [...new Set(cameras.map(({ query }) => query))];
    const waits = (): string[] => queries.filter(query => !load.answered.has(query));
    await until(() => isCancelled || waits().length === 0, 1000 * warmupS);
    if (isCancelled) throw new Error('interrupted');
    if (waits().length > 0)
      throw new Error(`no answer from ${waits().join(', ')} within ${warmupS} s; see ganglion up`);
    load.count();
    note(0, 'all queries answer');
    const faults = faultsOf(document);
    const alarms = faults.flatMap(fault => [
      realClock.after(fault.atMs, () => {
        note(load.nowMs, nameOf(fault));
        begin(fault, launched, { frozen, note: what => note(load.nowMs, what) });
      }),
      ...(fault.kind === 'freeze'
        ? [
            realClock.after(fault.atMs + fault.forMs, () => {
              thaw(launched, fault.actor, frozen);
              note(load.nowMs, `${fault.actor} goes on`);
            }),
          ]
        : []),
    ]);
    await until(() => isCancelled, 1000 * durationS);
    load.stop();
    const endMs = load.nowMs;
    for (const cancel of alarms) cancel();
    for (const actor of frozen) thaw(launched, actor, frozen);
    await until(() => isCancelled || load.open === 0, 1000 * settleS);
    return judge(load.sent, faults, { unsent: load.unsent, underWayMs: UNDER_WAY_MS, endMs });
  } finally {
    await load.close();
    // A process that stands still can't be asked to stop.
    for (const actor of frozen) thaw(launched, actor, frozen);
    await launched.close();
  }
}

function begin(
  fault: Fault,
  launched: LaunchedCluster,
  around: { frozen: Set<string>; note: (what: string) => void },
): void {
  switch (fault.kind) {
    case 'kill':
      around.frozen.delete(fault.actor);
      return launched.kill(fault.actor);
    case 'freeze':
      around.frozen.add(fault.actor);
      return launched.kill(fault.actor, 'SIGSTOP');
    case 'drain': {
      const to = subjects.drain.at(launched.prefix, {});
      const wish = encode({ v: 1, host: fault.actor, force: true });
      launched.bus
        .request(to, wish, { timeoutMs: DRAIN_MS })
        .catch(error => around.note(`nobody heard the wish to drain ${fault.actor}: ${describeError(error)}`));
      return;
    }
    default:
      return launched.killNats();
  }
}

function thaw(launched: LaunchedCluster, actor: string, frozen: Set<string>): void {
  if (frozen.delete(actor)) launched.kill(actor, 'SIGCONT');
}

/** Returns when it is so, or at the latest after `limitMs`. */
async function until(isSo: () => boolean, limitMs: number): Promise<void> {
  const endMs = realClock.nowMs() + limitMs;
  while (!isSo() && realClock.nowMs() < endMs) await sleep(realClock, Math.min(LOOK_MS, endMs - realClock.nowMs()));
}
