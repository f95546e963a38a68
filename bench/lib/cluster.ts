import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectNats, decode, realClock } from '../../bus/index.ts';
import { DEFAULT_PREFIX, DEFAULT_TENANT, type Bus } from '../../contracts/index.ts';
import { applyFiles } from '../../deploy/apply/index.ts';
import { Director, until } from '../../deploy/demo/director.ts';
import { startNatsServer } from '../../deploy/nats-server.ts';
import type { ActorTask } from './actor-process.ts';

const ACTOR_PROCESS = fileURLToPath(new URL('./actor-process.js', import.meta.url));
const PLAN_MS_MAX = 120_000;
const STOP_MS_MAX = 15_000;

export interface BenchCluster {
  readonly url: string;
  readonly prefix: string;
  readonly bus: Bus;
  /** Process ids by name; nats-server among them. */
  readonly pids: ReadonlyMap<string, number>;
  /** Calls `take` with each beat: the actor's name and what it says of itself. */
  onBeat(take: (name: string, beat: Beat) => void): void;
  /** Starts one more process of ours that is no actor; resolves when it says "ready". */
  helper(file: string, args: readonly string[]): Promise<ChildProcess>;
  close(): Promise<void>;
}

interface Beat {
  readonly rssBytes: number;
  readonly loopDelayP99Ms: number;
}

/**
 * A real nats-server and each actor in a process of its own; resolves when a plan serves `query`.
 * @param documents YAML of models and queries
 * @param profileDir where each actor leaves a CPU profile when it stops
 */
export async function startCluster(options: {
  readonly actors: readonly ActorTask[];
  readonly documents: string;
  readonly query: string;
  readonly profileDir?: string | undefined;
}): Promise<BenchCluster> {
  const { actors, documents, query, profileDir } = options;
  const prefix = DEFAULT_PREFIX;
  const dir = await mkdtemp(join(tmpdir(), 'ganglion-bench-'));
  const server = await startNatsServer({ storeDir: join(dir, 'jetstream') });
  const children: ChildProcess[] = [];
  const pids = new Map([['nats-server', server.pid]]);
  const start = async (name: string, file: string, args: readonly string[]): Promise<ChildProcess> => {
    const profiled =
      profileDir === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`, `--cpu-prof-name=${name}.cpuprofile`];
    const child = fork(file, args, { execArgv: profiled });
    children.push(child);
    pids.set(name, child.pid!);
    const exited = once(child, 'exit').then(() => Promise.reject(new Error(`${name} ended before it was ready`)));
    await Promise.race([once(child, 'message'), exited]);
    return child;
  };
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.toReversed()) await closer();
    await Promise.all(children.map(stopped));
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const bus = await connectNats({ servers: [server.url], name: 'bench', clock: realClock });
    closers.push(() => bus.close());
    const director = new Director(bus, prefix);
    await Promise.all(
      actors.map(task => start(task.name, ACTOR_PROCESS, [server.url, JSON.stringify(task satisfies ActorTask)])),
    );
    const file = join(dir, 'documents.yaml');
    await writeFile(file, documents);
    await applyFiles(bus, [file], { prefix, tenant: DEFAULT_TENANT });
    await until(`a plan that serves ${query}`, () => director.serves(query), PLAN_MS_MAX);
    return {
      url: server.url,
      prefix,
      bus,
      pids,
      onBeat: take =>
        void bus.subscribe(`${prefix}.beats.>`, ({ subject, data }) =>
          take(subject.split('.').at(-1)!, decode(data) as Beat),
        ),
      helper: (helperFile, args) => start('helper', helperFile, args),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Asks a process to stop; insists when it doesn't. */
async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  if (child.connected) child.disconnect();
  const cancel = realClock.after(STOP_MS_MAX, () => child.kill('SIGKILL'));
  await exited;
  cancel();
}
