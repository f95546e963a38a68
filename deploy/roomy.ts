import { spawn } from 'node:child_process';

/**
 * A simulation makes and drops tens of megabytes a second of its time, and what is in flight lives for a tenth of it: with the 16 MB that
 * Node has for young objects most of the collector's work is to copy those again and again. Takes up to 192 MB.
 */
export const ROOM_FOR_YOUNG = '--max-semi-space-size=64';

/** Runs this program once more, in its place, with that room. Resolves with its exit code. */
export function runWithRoom(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [ROOM_FOR_YOUNG, ...process.execArgv, ...args], { stdio: 'inherit' });
  // A terminal tells both of an interruption; others tell this process alone.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}
