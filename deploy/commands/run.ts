import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Option } from 'commander';
import { parse } from 'yaml';
import { startActor, type Ending, type RunningActor } from '../../actors/actor/index.ts';
import { realClock, systemRandom } from '../../bus/index.ts';
import {
  ACTOR_NAMES,
  ConfigError,
  describeError,
  DisconnectedError,
  randomId,
  type Bus,
  type Log,
} from '../../contracts/index.ts';
import { plainName } from '../cluster/specs.ts';
import { awaitBus, natsUrl, openBus } from '../connection.ts';
import { loadActor } from '../load-actor.ts';
import { jsonLog, LOG_LEVELS, prettyLog, type LogLevel } from '../log.ts';
import type { Io } from '../terminal/index.ts';
import { processVitals } from '../vitals.ts';
import { EXIT, withClusterFlags, type ClusterFlags, type ExitCode } from './program.ts';

interface RunFlags extends ClusterFlags {
  readonly name?: string;
  readonly config?: string;
  readonly set: readonly string[];
  readonly wait: boolean;
  readonly log: 'json' | 'pretty';
  readonly logLevel: LogLevel;
}

const collect = (value: string, all: readonly string[]): string[] => [...all, value];

export function runCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  withClusterFlags(program.command('run'))
    .argument('<actor>', `${ACTOR_NAMES.join(', ')}, or the path of your own (./my-actor.ts)`)
    .description('Run one actor in this process until it is told to stop (Ctrl-C, SIGTERM).')
    .option('--name <name>', 'of this instance, unique in the cluster; default <actor>-<random>')
    .option('--config <file|json>', 'configuration of the actor: a YAML or JSON file, or JSON itself')
    .option('--set <key=value>', 'one field of the configuration; may be repeated, a.b=1 reaches inside', collect, [])
    .option('--no-wait', 'fail at once when there is no NATS server, instead of waiting for it')
    .addOption(
      new Option('--log <how>', 'lines for people or for machines').choices(['pretty', 'json']).default('pretty'),
    )
    .addOption(new Option('--log-level <level>', 'least level').choices([...LOG_LEVELS]).default('info'))
    .addHelpText(
      'after',
      `
Examples:
  ganglion run query-router --name router-1
  ganglion run gpu-host --name gpu-a --set device.kind=onnx --set 'device.providers=[cuda, cpu]'
  ganglion run ./score-alert.ts

Exit codes: 0 it was stopped or left by itself, 1 it crashed or NATS is gone for good, 2 wrong file or configuration.`,
    )
    .action(async (actor: string, flags: RunFlags) => end(await run(actor, flags, io)));
}

async function run(actor: string, flags: RunFlags, io: Io): Promise<ExitCode> {
  const id = flags.name ?? `${plainName(actor)}-${randomId(systemRandom, 4)}`;
  const log = logFor(id, flags, io);
  const asked = whenAskedToStop(io, log);
  try {
    const definition = await loadActor(actor, log);
    const config = await readConfiguration(flags);
    const url = natsUrl(flags.nats, io.env);
    const bus = flags.wait
      ? await awaitBus({ url, name: id, log }, () => !asked.yes)
      : await openBus({ url, name: id, log });
    if (!bus) return EXIT.ok;
    const running = await startActor(definition, {
      bus,
      clock: realClock,
      random: systemRandom,
      log,
      id,
      config,
      prefix: flags.prefix,
      vitals: processVitals(),
    });
    // Whoever hears that it runs may count on its subscriptions.
    await bus.flush().catch(() => log.warn('the connection to NATS was lost at once, trying to get it back'));
    io.launcher?.ready();
    return await untilEnded(running, bus, asked.signal, log);
  } catch (error) {
    log.error(describeError(error));
    return error instanceof ConfigError ? EXIT.usage : EXIT.failed;
  } finally {
    asked.forget();
    io.launcher?.release();
  }
}

const logFor = (actor: string, flags: RunFlags, io: Io): Log => {
  const options = {
    actor,
    write: (line: string) => io.err(line),
    unixMs: () => realClock.unixMs(),
    level: flags.logLevel,
  };
  return flags.log === 'json' ? jsonLog(options) : prettyLog({ ...options, color: io.color });
};

interface Asked {
  readonly yes: boolean;
  /** Resolves with the reason. */
  readonly signal: Promise<string>;
  forget(): void;
}

/** A signal, or the launcher's end of the channel gone: a child whose parent died doesn't stay behind. Asked twice, it exits at once. */
function whenAskedToStop(io: Io, log: Log): Asked {
  let yes = false;
  let resolve: (why: string) => void = () => {};
  const signal = new Promise<string>(wake => (resolve = wake));
  const forget = io.onInterrupt(name => {
    if (yes) {
      log.warn('stopped at once');
      process.exit(EXIT.failed);
    }
    yes = true;
    resolve(name);
  });
  io.launcher?.onGone(() => {
    yes = true;
    resolve('the launcher is gone');
  });
  return {
    get yes() {
      return yes;
    },
    signal,
    forget,
  };
}

/** Runs until it is asked to stop, ends by itself, or has no bus any more. */
async function untilEnded(running: RunningActor, bus: Bus, signal: Promise<string>, log: Log): Promise<ExitCode> {
  let away = false;
  const closed = new Promise<Ending>(resolve => {
    bus.onStatus(status => {
      if (status === 'disconnected' && !away) log.warn('the connection to NATS is lost, trying to get it back');
      if (status === 'connected' && away) log.info('the connection to NATS is back');
      if (status === 'disconnected' || status === 'connected') away = status === 'disconnected';
      if (status === 'slow-consumer') log.warn('this actor reads too slowly: NATS dropped messages for it');
      if (status === 'closed')
        resolve({ how: 'crashed', error: new DisconnectedError('the connection to NATS is closed') });
    });
  });
  const why = await Promise.race([signal, running.ended, closed]);
  if (typeof why !== 'string' && why.how === 'crashed') {
    log.error('crashed', { error: describeError(why.error) });
    running.kill();
    await bus.close().catch(() => {});
    return EXIT.failed;
  }
  log.info('stopping', { why: typeof why === 'string' ? why : why.reason });
  await running.stop();
  await bus
    .drain()
    .catch((error: unknown) => log.warn('the last messages may be lost', { error: describeError(error) }));
  log.info('stopped');
  return EXIT.ok;
}

/** The file or JSON, with the single fields on top. @throws ConfigError */
async function readConfiguration(flags: Pick<RunFlags, 'config' | 'set'>): Promise<unknown> {
  const config = flags.config === undefined ? {} : await readOne(flags.config);
  for (const pair of flags.set) {
    const at = pair.indexOf('=');
    if (at < 1) throw new ConfigError(`"${pair}" must be key=value`, { field: '--set' });
    const path = pair.slice(0, at).split('.');
    let inside = config;
    for (const step of path.slice(0, -1)) {
      const next = inside[step];
      inside = (typeof next === 'object' && next !== null ? next : (inside[step] = {})) as Record<string, unknown>;
    }
    inside[path.at(-1)!] = parse(pair.slice(at + 1)) as unknown;
  }
  return config;
}

async function readOne(config: string): Promise<Record<string, unknown>> {
  const inline = config.trimStart().startsWith('{');
  const file = inline ? '--config' : config;
  try {
    const value = parse(inline ? config : await readFile(config, 'utf8')) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    throw new ConfigError(`can't be read: ${describeError(error)}`, { file }, { cause: error });
  }
  throw new ConfigError('must hold fields (name: value)', { file });
}
