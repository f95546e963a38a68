import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';

/** The package.json's folder: tests run from dist/test/bus. */
const root = dirname(dirname(dirname(import.meta.dirname)));

/** A checkout with one package installed by hand and a nats-server on PATH. */
async function checkout(t: ExecutionContext) {
  const dir = await mkdtemp(join(tmpdir(), 'ganglion-setup-'));
  t.teardown(async () => rm(dir, { recursive: true, force: true }));
  for (const folder of ['scripts', 'node_modules', 'bin']) await mkdir(join(dir, folder));
  await copyFile(join(root, 'scripts/setup.mjs'), join(dir, 'scripts/setup.mjs'));
  const packages = {
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b-other-os': { version: '1.0.0', optional: true },
  };
  await writeFile(join(dir, 'package-lock.json'), JSON.stringify({ packages: { '': {}, ...packages } }));
  await writeFile(
    join(dir, 'node_modules/.package-lock.json'),
    JSON.stringify({ packages: { 'node_modules/a': { version: '1.0.0' } } }),
  );
  await writeFile(join(dir, 'bin/nats-server'), '#!/bin/sh\necho nats-server: v2.9.10\n');
  await chmod(join(dir, 'bin/nats-server'), 0o755);
  // Tells what npm was asked, and fails.
  await writeFile(join(dir, 'bin/npm'), '#!/bin/sh\necho "npm $*"\nexit 1\n');
  await chmod(join(dir, 'bin/npm'), 0o755);
  const run = async (env: Record<string, string> = {}) =>
    new Promise<{ code: number; output: string }>(resolve => {
      const options = { cwd: tmpdir(), env: { PATH: `${join(dir, 'bin')}:/bin:/usr/bin`, ...env } };
      execFile(process.execPath, [join(dir, 'scripts/setup.mjs')], options, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
      );
    });
  return { dir, run };
}

test('setup: when nothing is missing it says nothing and remembers', async t => {
  const { dir, run } = await checkout(t);
  t.deepEqual(await run(), { code: 0, output: '' });
  const stamp = await readFile(join(dir, 'node_modules/.ganglion-setup'), 'utf8');
  t.regex(stamp, /^[0-9a-f]{64}$/);
  t.deepEqual(await run({ CI: 'true' }), { code: 0, output: '' }, 'the server on PATH is the oldest supported: enough');
});

test('setup: another lock file means installing; failing to is told, and nothing is remembered', async t => {
  const { dir, run } = await checkout(t);
  await run();
  const lock = JSON.stringify({ packages: { '': {}, 'node_modules/a': { version: '2.0.0' } } });
  await writeFile(join(dir, 'package-lock.json'), lock);
  const { code, output } = await run();
  t.is(code, 1);
  t.true(output.includes('npm ci'));
  t.true(output.includes('could not be installed'));
  t.is(await readFile(join(dir, 'package-lock.json'), 'utf8'), lock);
  t.is((await run()).code, 1, 'the next run tries again');
});
