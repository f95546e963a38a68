import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { ganglion, type ExitCode } from '../../deploy/commands/index.ts';
import { styleFor, type Io } from '../../deploy/terminal/index.ts';

const CLI = fileURLToPath(new URL('../../deploy/cli.js', import.meta.url));

export interface Said {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process, without a terminal. */
export async function command(args: readonly string[], env: Record<string, string> = {}): Promise<Said> {
  let out = '';
  let err = '';
  const io: Io = {
    out: text => (out += text),
    err: text => (err += text),
    outIsTerminal: false,
    errIsTerminal: false,
    width: 80,
    height: 24,
    color: false,
    style: styleFor(false),
    env,
    onInterrupt: () => () => {},
    onKey: () => () => {},
    launcher: undefined,
  };
  return { code: await ganglion(args, io), out, err };
}

export interface Spawned {
  readonly pid: number;
  /** What it has written to both outputs so far. */
  said(): string;
  /** Waits until it says this; rejects when it ends before. */
  says(text: string): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Runs a command line as a process of its own, which is gone when the test ends; `run` and `up` also when this process dies. */
export function spawnCommand(t: ExecutionContext, args: readonly string[], options: { cwd?: string } = {}): Spawned {
  const child = spawn(process.execPath, [CLI, ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => (said += String(chunk)));
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(resolve =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
    if (!t.passed) t.log(said);
  });
  let over = false;
  void ended.then(() => (over = true));
  const says = (text: string): Promise<void> =>
    until(`it says ${text}`, () => {
      if (!said.includes(text) && over) throw new Error(`it ended before it said ${text}:\n${said}`);
      return said.includes(text);
    });
  return { pid: child.pid!, said: () => said, says, signal: signal => void child.kill(signal), ended };
}

/** A folder that is gone when the test ends. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'ganglion-test-')));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Waits until `condition` holds; its last failure is told when time is up. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 25_000,
): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 25));
  }
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
