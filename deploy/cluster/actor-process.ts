import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../contracts/index.ts';
import { parseLogLine, type LogLevel, type LogLine } from '../log.ts';
import type { ClusterEvent } from './events.ts';
import type { ActorSpec } from './specs.ts';

const CLI = fileURLToPath(new URL('../cli.js', import.meta.url));
const LAST_WORDS_MAX = 20;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly ranMs: number;
  /** The last errors that it logged, and what else it wrote to standard error: why it ended. */
  readonly lastWords: readonly string[];
}

/** A process that runs one actor. */
export interface ActorProcess {
  readonly pid: number;
  readonly startedMs: number;
  /** Resolves when the actor runs; stays pending if it ends before. */
  readonly ready: Promise<void>;
  readonly exited: Promise<Exit>;
  signal(signal: NodeJS.Signals): void;
}

interface StartOptions {
  readonly url: string;
  readonly prefix: string;
  readonly tenant: string;
  readonly logLevel: LogLevel;
  readonly clock: Clock;
  readonly onEvent: (event: ClusterEvent) => void;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Starts `ganglion run …` with a channel to this process: when this process is gone, however it went, the channel breaks and
 * the actor stops. It is the leader of its own process group, so that a Ctrl-C reaches only the launcher, which stops the
 * actors in good order.
 */
export function startActorProcess(spec: ActorSpec, options: StartOptions): ActorProcess {
  const { clock, onEvent } = options;
  const args = [
    CLI,
    'run',
    spec.actor,
    '--name',
    spec.name,
    '--config',
    JSON.stringify(spec.config),
    '--nats',
    options.url,
    '--prefix',
    options.prefix,
    '--tenant',
    options.tenant,
    '--log',
    'json',
    '--log-level',
    options.logLevel,
  ];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
    env: options.env ?? process.env,
  });
  const startedMs = clock.nowMs();
  const lastWords: string[] = [];
  const read = (stream: Readable, isError: boolean): void => {
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', text => {
      const line = parseLogLine(text);
      if (line ? line.level === 'error' : isError) lastWords.push(line ? wordsOf(line) : text);
      if (lastWords.length > LAST_WORDS_MAX) lastWords.shift();
      onEvent(line ? { event: 'log', actor: spec.name, line } : { event: 'output', actor: spec.name, text });
    });
  };
  read(child.stdout!, false);
  read(child.stderr!, true);
  return {
    pid: child.pid ?? -1,
    startedMs,
    ready: new Promise(resolve => {
      child.on('message', message => {
        if ((message as { ready?: unknown }).ready === true) resolve();
      });
    }),
    exited: exitOf(child, lastWords, () => clock.nowMs() - startedMs),
    signal: signal => void child.kill(signal),
  };
}

/** `close` comes after the last output; `error` alone when the process could not be started. */
const exitOf = (child: ChildProcess, lastWords: readonly string[], ranMs: () => number): Promise<Exit> =>
  new Promise(resolve => {
    child.once('close', (code, signal) => resolve({ code, signal, ranMs: ranMs(), lastWords }));
    child.once('error', error => {
      if (child.pid === undefined) resolve({ code: 1, signal: null, ranMs: ranMs(), lastWords: [error.message] });
    });
  });

const wordsOf = ({ message, error }: LogLine): string => (typeof error === 'string' ? `${message}: ${error}` : message);
