import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What runs in a simulation. */
const FOLDERS = ['actors', 'allocator', 'bus', 'contracts', 'gpu-host', 'deploy/simulate'];

/** Of the compiled code that a simulation runs: another commit that changes none of it has the same. */
export function codeVersion(): string {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const hash = createHash('sha256');
  for (const folder of FOLDERS) {
    const files = readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' }).filter(name =>
      name.endsWith('.js'),
    );
    for (const name of files.sort())
      hash.update(`${folder}/${name}\0`).update(readFileSync(`${root}${folder}/${name}`));
  }
  return hash.digest('hex').slice(0, 16);
}

/** Short, with a plus where files differ from it. */
export function commitName(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--untracked-files=no', '--', ...FOLDERS);
  return `${git('rev-parse', '--short=9', 'HEAD')}${changed === '' ? '' : '+'}`;
}
