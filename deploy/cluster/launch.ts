import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  ConfigError,
  DEFAULT_PREFIX,
  DEFAULT_TENANT,
  describeError,
  NotFoundError,
  sleep,
  type Bus,
  type Clock,
  type ClusterDocument,
} from '../../contracts/index.ts';
import { realClock } from '../../bus/index.ts';
import { applyFiles } from '../apply/index.ts';
import { openBus } from '../connection.ts';
import type { LogLevel } from '../log.ts';
import { startNatsServer } from '../nats-server.ts';
import { startActorProcess } from './actor-process.ts';
import type { ClusterEvent } from './events.ts';
import { afterFailure, noFailures, RESTART_POLICY, type RestartPolicy } from './restart.ts';
import { actorSpecs, STOP_STEPS_COUNT, stopStep, type ActorSpec } from './specs.ts';
import { Supervised, type SupervisedState } from './supervised.ts';

export interface LaunchOptions {
  readonly document: ClusterDocument;
  /** Paths in the document are relative to it. Default: the current folder. */
  readonly baseDir?: string;
  /** Name of the document's file, for messages. */
  readonly file?: string;
  /** Holds JetStream's files of a server that is started. Default: `dataFolder(name)`. */
  readonly dataDir?: string;
  /** Instead of what the document says of NATS: a server that runs already. */
  readonly natsUrl?: string;
  readonly tenant?: string;
  readonly logLevel?: LogLevel;
  readonly restart?: Partial<RestartPolicy>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly onEvent?: (event: ClusterEvent) => void;
  /** Resolves when the launch is not wanted any more: what was started is stopped again, the launch rejects. */
  readonly cancelled?: Promise<void>;
}

export interface ActorStatus {
  readonly name: string;
  readonly actor: string;
  readonly state: SupervisedState;
  readonly pid: number | undefined;
  readonly restarts: number;
}

/** A cluster of child processes that this process supervises. */
export interface LaunchedCluster {
  readonly url: string;
  readonly prefix: string;
  actors(): readonly ActorStatus[];
  /** Adds an actor and resolves when it runs. @returns its name */
  add(entry: ClusterDocument['actors'][number]): Promise<readonly string[]>;
  /** Starts an actor that was stopped or has left; resolves when it runs. @throws NotFoundError */
  start(name: string): Promise<void>;
  /** Stops one in good order; it is not restarted. @throws NotFoundError */
  stop(name: string): Promise<void>;
  /** Sends a signal (default SIGKILL), as a fault would; the supervisor restarts what ends with an error. @throws NotFoundError */
  kill(name: string, signal?: NodeJS.Signals): void;
  /** SIGKILL to the server, if it was started here and runs; it is started again with its files. */
  killNats(): void;
  /** Connection of the launcher to this cluster; closed with it. */
  readonly bus: Bus;
  /** Stops all: allocators and samplers, routers, batchers and hosts, the user's own, then NATS. */
  close(): Promise<void>;
  /** At once: nothing gets to say goodbye. */
  killAll(): void;
}

/** `$XDG_STATE_HOME/ganglion/<cluster>`, by default `~/.local/state/ganglion/<cluster>`. */
const dataFolder = (name: string, env: Readonly<Record<string, string | undefined>> = process.env): string =>
  join(env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'ganglion', name);

/**
 * Starts NATS if asked, every actor as a process of its own, waits until they run and applies the files.
 * @throws ConfigError, DocumentsError for wrong files; Error when something doesn't start: all is stopped again then
 */
export async function launchCluster(options: LaunchOptions): Promise<LaunchedCluster> {
  const { document, file } = options;
  const baseDir = resolve(options.baseDir ?? '.');
  const onEvent = options.onEvent ?? (() => {});
  const clock: Clock = realClock;
  const prefix = document.prefix ?? DEFAULT_PREFIX;
  const tenant = options.tenant ?? DEFAULT_TENANT;
  const specs = actorSpecs(document, { baseDir, ...(file === undefined ? {} : { file }) });
  const nats = await natsFor(options, baseDir, onEvent);
  const { url } = nats;

  const policy = { ...RESTART_POLICY, ...options.restart };
  const start = (spec: ActorSpec) =>
    startActorProcess(spec, {
      url,
      prefix,
      tenant,
      clock,
      onEvent,
      logLevel: options.logLevel ?? 'info',
      ...(options.env ? { env: options.env } : {}),
    });
  const supervised: Supervised[] = specs.map(spec => new Supervised(spec, { clock, policy, start, onEvent }));
  const named = (name: string): Supervised => {
    const one = supervised.find(({ spec }) => spec.name === name);
    if (!one) throw new NotFoundError(`actor ${name}`, `actors: ${supervised.map(({ spec }) => spec.name).join(', ')}`);
    return one;
  };

  let bus: Bus | undefined;
  let closing: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    onEvent({ event: 'stopping' });
    for (let step = 0; step < STOP_STEPS_COUNT; step++) {
      await Promise.all(supervised.filter(({ spec }) => stopStep(spec.actor) === step).map(one => one.stop()));
    }
    await bus?.close();
    await nats.stop();
    onEvent({ event: 'stopped' });
  };
  const close = (): Promise<void> => (closing ??= closeAll());

  try {
    bus = await openBus({ url, name: `ganglion up ${document.name}` });
    for (const one of supervised) one.start();
    const cancelled = options.cancelled?.then(() => Promise.reject(new Error('the launch was cancelled')));
    await Promise.race([Promise.all(supervised.map(one => one.ready())), ...(cancelled ? [cancelled] : [])]);
    const files = (document.apply ?? []).map(path => resolve(baseDir, path));
    if (files.length > 0) {
      const { items, groups, warnings } = await applyFiles(bus, files, { prefix, tenant });
      for (const detail of warnings) onEvent({ event: 'warning', detail });
      for (const { item, change, note } of items)
        onEvent({ event: 'applied', item, change, ...(note === undefined ? {} : { note }) });
      for (const group of groups) onEvent({ event: 'group', group });
    }
  } catch (error) {
    await close();
    throw error;
  }
  onEvent({ event: 'up', url, prefix, actors: supervised.map(({ spec }) => spec.name) });

  return {
    url,
    prefix,
    bus,
    actors: () =>
      supervised.map(({ spec, state, pid, restarts }) => ({
        name: spec.name,
        actor: spec.actor,
        state,
        pid,
        restarts,
      })),
    add: async entry => {
      const names = supervised.map(({ spec }) => spec.name);
      const added = actorSpecs({ ...document, actors: [entry] }, { baseDir }).map(spec => ({
        ...spec,
        name: freeName(spec.name, names, entry.name !== undefined),
      }));
      const started = added.map(spec => new Supervised(spec, { clock, policy, start, onEvent }));
      supervised.push(...started);
      for (const one of started) one.start();
      await Promise.all(started.map(one => one.ready()));
      return added.map(spec => spec.name);
    },
    start: async name => {
      named(name).start();
      await named(name).ready();
    },
    stop: async name => named(name).stop(),
    kill: (name, signal = 'SIGKILL') => named(name).signal(signal),
    killNats: () => nats.kill(),
    close,
    killAll: () => {
      for (const one of supervised) one.signal('SIGKILL');
    },
  };
}

/** Of a new instance: a name that was chosen must be free, a numbered one counts on. */
function freeName(name: string, taken: string[], chosen: boolean): string {
  const base = name.replace(/-\d+$/, '');
  let free = name;
  if (chosen && taken.includes(name)) throw new ConfigError(`"${name}" is taken already`, { field: 'name' });
  for (let n = 1; taken.includes(free); n++) free = `${base}-${n}`;
  taken.push(free);
  return free;
}

interface Nats {
  readonly url: string;
  kill(): void;
  stop(): Promise<void>;
}

/** The server that runs already, or one of our own: started again, on its port and with its files, should it die. */
async function natsFor(options: LaunchOptions, baseDir: string, onEvent: (event: ClusterEvent) => void): Promise<Nats> {
  const { document, natsUrl } = options;
  const settings = document.nats ?? { start: true as const };
  const given = natsUrl ?? ('url' in settings ? settings.url : undefined);
  if (given !== undefined) {
    onEvent({ event: 'nats', url: given, started: false });
    return { url: given, kill: () => {}, stop: async () => {} };
  }
  const asked = settings as { port?: number; store?: string };
  const dataDir = options.dataDir ?? dataFolder(document.name, options.env);
  const storeDir = asked.store === undefined ? join(dataDir, 'jetstream') : resolve(baseDir, asked.store);
  let server = await startNatsServer({ port: asked.port ?? 4222, storeDir });
  const { url, port } = server;
  const tell = (): void => onEvent({ event: 'nats', url, started: true, pid: server.pid });
  tell();
  let stopping = false;
  let record = noFailures;
  const supervise = async (): Promise<void> => {
    for (;;) {
      const startedMs = realClock.nowMs();
      await server.exited;
      if (stopping) return;
      const nowMs = realClock.nowMs();
      const decision = afterFailure(record, { nowMs, ranMs: nowMs - startedMs }, RESTART_POLICY);
      record = decision.record;
      if (!decision.restart)
        return onEvent({ event: 'gave-up', actor: 'nats', detail: 'nats-server fails again and again' });
      onEvent({ event: 'restarting', actor: 'nats', inMs: decision.inMs, failures: record.failedAtMs.length });
      await sleep(realClock, decision.inMs);
      if (stopping) return;
      try {
        server = await startNatsServer({ port, storeDir });
        tell();
      } catch (error) {
        onEvent({ event: 'warning', detail: describeError(error) });
      }
    }
  };
  const supervised = supervise();
  return {
    url,
    kill: () => server.signal('SIGKILL'),
    stop: async () => {
      stopping = true;
      await server.stop();
      await supervised;
    },
  };
}
