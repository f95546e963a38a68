import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { sleep, ConfigError, silentLog, type Log } from '../contracts/index.ts';
import { realClock } from '../bus/index.ts';

const READY_MS_MAX = 10_000;
const STOP_MS_MAX = 5_000;
const LOG_CHARACTERS_MAX = 20_000;

export interface NatsServerOptions {
  /** 0 (default): a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Where JetStream keeps its files; it stays when the server stops. */
  readonly storeDir: string;
  /** Path of the binary. Default {@link findNatsServer}. */
  readonly binary?: string;
  /** Further arguments, e.g. `['-c', file]`. */
  readonly args?: readonly string[];
  readonly log?: Log;
}

export interface NatsServer {
  /** `nats://127.0.0.1:4222` */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly binary: string;
  /** What the server said lately. */
  output(): string;
  signal(signal: NodeJS.Signals): void;
  /** Asks it to end, insists after 5 s. Resolves when it is gone. */
  stop(): Promise<void>;
  /** Resolves when the process is gone, for whatever reason. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Directory of the package: the nearest above with a package.json. */
function packageRoot(): string {
  let dir = import.meta.dirname;
  while (!existsSync(join(dir, 'package.json')) && dirname(dir) !== dir) dir = dirname(dir);
  return dir;
}

/** All servers that can be had: on PATH first, then those in `.cache/nats-server/<version>/`, newest first. */
export function natsServers(): string[] {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter(dir => dir !== '');
  const cache = join(packageRoot(), '.cache', 'nats-server');
  const versions = existsSync(cache) ? readdirSync(cache).filter(name => /^\d/.test(name)) : [];
  versions.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  return [...onPath, ...versions.map(version => join(cache, version))]
    .map(dir => join(dir, 'nats-server'))
    .filter(isExecutable);
}

/** @throws ConfigError that says how to get one */
export function findNatsServer(): string {
  const found = natsServers()[0];
  if (found !== undefined) return found;
  throw new ConfigError('there is no nats-server on PATH', {
    remedy: 'get one with: npm run setup, or install the nats-server package of your system',
  });
}

/** `2.14.9`, as the binary says. */
export function natsServerVersion(binary: string): string {
  const said = execFileSync(binary, ['-v'], { encoding: 'utf8' });
  return /v(\d+\.\d+\.\d+)/.exec(said)?.[1] ?? said.trim();
}

/**
 * Starts a nats-server with JetStream. It dies with this process where `setpriv` exists (Linux).
 * @throws ConfigError with the server's own log when it exits, or isn't ready within 10 s
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const { port = 0, host = '127.0.0.1', storeDir, args = [], log = silentLog } = options;
  const binary = options.binary ?? findNatsServer();
  mkdirSync(storeDir, { recursive: true });
  const child = launch(binary, [
    `--addr=${host}`,
    `--port=${port === 0 ? -1 : port}`,
    '-js',
    `-sd=${storeDir}`,
    `--ports_file_dir=${storeDir}`,
    ...args,
  ]);
  let output = '';
  child.stderr?.on('data', chunk => (output = (output + String(chunk)).slice(-LOG_CHARACTERS_MAX)));
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(resolve => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', error => {
      output += error.message;
      resolve({ code: null, signal: null });
    });
  });
  let gone = false;
  void exited.then(() => (gone = true));

  const url = await readUrl(storeDir, child, () => gone).catch(async error => {
    if (!gone && child.kill('SIGKILL')) await exited;
    throw new ConfigError(
      `nats-server did not start (${binary})${output ? `, it said:\n${output.trimEnd()}` : ''}`,
      port === 0 ? {} : { remedy: `is port ${port} in use already?` },
      { cause: error },
    );
  });
  log.info('nats-server is ready', { url, pid: child.pid ?? null, store: storeDir });
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid!,
    binary,
    output: () => output,
    signal: signal => void child.kill(signal),
    exited,
    stop: async () => {
      if (gone) return;
      child.kill('SIGTERM');
      const cancel = realClock.after(STOP_MS_MAX, () => child.kill('SIGKILL'));
      await exited;
      cancel();
    },
  };
}

function launch(binary: string, args: readonly string[]): ChildProcess {
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find(isExecutable);
  const [command, all] = setpriv ? [setpriv, ['--pdeathsig', 'KILL', binary, ...args]] : [binary, args];
  return spawn(command, all, {
    stdio: ['ignore', 'ignore', 'pipe'],
    // A group of its own: Ctrl-C in a terminal reaches the launcher alone, which stops this server after the actors.
    detached: true,
    // Large payloads: with Go's defaults the server's collector gives pages back and faults them in again, at a third of the rate.
    env: { GOGC: '400', GODEBUG: 'madvdontneed=0', ...process.env },
  });
}

/** The server writes the addresses it listens on into a file when it is ready; that tells the free port that it took. */
async function readUrl(dir: string, child: ChildProcess, gone: () => boolean): Promise<string> {
  const file = join(dir, `nats-server_${child.pid}.ports`);
  const deadlineMs = realClock.nowMs() + READY_MS_MAX;
  for (;;) {
    if (gone()) throw new Error('it exited');
    try {
      const { nats } = JSON.parse(readFileSync(file, 'utf8')) as { nats: string[] };
      rmSync(file, { force: true });
      return nats[0]!;
    } catch (error) {
      if (realClock.nowMs() > deadlineMs) throw new Error(`not ready after ${READY_MS_MAX} ms`, { cause: error });
      await sleep(realClock, 10);
    }
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
