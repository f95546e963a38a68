import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describeError } from '../../contracts/index.ts';
import type { Cleanup } from './cleanup.ts';
import { until } from './until.ts';

/** Root of the repository, seen from what the compiler made of this file. */
export const ROOT = resolve(import.meta.dirname, '../../..');
const CLI = resolve(ROOT, 'dist/deploy/cli.js');

/** A process under test and what it has said. */
export interface Program {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  readonly exited: Promise<Ended>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Starts a program; it is killed when the test ends, if it still runs. */
export function start(
  cleanup: Cleanup,
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Program {
  const { cwd = ROOT, env = {} } = options;
  const child = spawn(command, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', chunk => (out += String(chunk)));
  child.stderr.on('data', chunk => (err += String(chunk)));
  const exited = new Promise<Ended>(resolve => {
    child.once('close', (code, signal) => resolve({ code, signal, out, err }));
    child.once('error', error => resolve({ code: null, signal: null, out, err: err + describeError(error) }));
  });
  cleanup.add(async () => {
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await exited;
  });
  return { pid: child.pid ?? -1, child, out: () => out, err: () => err, exited };
}

/** `ganglion …`, running. */
export const startCli = (
  cleanup: Cleanup,
  args: readonly string[],
  options: Parameters<typeof start>[3] = {},
): Program => startInside(cleanup, [], args, options);

/** The same by a command that runs what follows it, e.g. in a network namespace. */
export function startInside(
  cleanup: Cleanup,
  enter: readonly string[],
  args: readonly string[],
  options: Parameters<typeof start>[3] = {},
): Program {
  const [command, ...rest] = [...enter, process.execPath, CLI, ...args];
  return start(cleanup, command!, rest, options);
}

/** `ganglion …`, until it has ended. */
export const cli = (
  cleanup: Cleanup,
  args: readonly string[],
  options: Parameters<typeof start>[3] = {},
): Promise<Ended> => startCli(cleanup, args, options).exited;

/** Whether a process runs; one that has ended and was not collected yet doesn't. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return process.platform !== 'linux' && signals(pid);
  }
}

function signals(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Processes that have `pid` as their parent now, and theirs. Linux only: elsewhere none are seen. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of process.platform === 'linux' ? readdirSync('/proc') : []) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1];
      parents.set(Number(name), Number(parent));
    } catch {
      // It ended meanwhile.
    }
  }
  const children = [...parents].filter(([, parent]) => parent === pid).map(([child]) => child);
  return [...children, ...children.flatMap(child => descendants(child))];
}

/** Resolves when none of these processes runs any more. */
export async function noneLeft(pids: readonly number[]): Promise<void> {
  const left = (): number[] => pids.filter(isRunning);
  await until('no process is left over', () => left().length === 0, { limitMs: 30_000, state: () => left().map(told) });
}

function told(pid: number): string {
  try {
    return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`;
  } catch {
    return String(pid);
  }
}
