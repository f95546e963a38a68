#!/usr/bin/env node
/**
 * Gets what a fresh clone lacks: the npm packages of the lock file, and a nats-server. Needs Node alone, and is quick when
 * nothing is missing, so that tests and demo run it each time.
 *
 *     node scripts/setup.mjs [--all-servers]
 *
 * `--all-servers` (implied by the variable CI) also tries to get the oldest nats-server that is supported, for the tests.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const serverCache = join(root, '.cache', 'nats-server');
const allServers = process.argv.includes('--all-servers') || !['', 'false', '0', undefined].includes(process.env.CI);

/** The official release, by the digests that NATS's own container images check. */
const RELEASE = {
  version: '2.14.5',
  sha256: {
    x64: ['amd64', '5e3b603d47c447bda1f77f9ac16dbf91c90aac4ff3681f8fbbc7201e4ed99355'],
    arm64: ['arm64', '673a98d3faa79dde3f9ebf16d6dfac36a5f694e7ad2015e4954dd7939c85cd4c'],
    arm: ['arm7', 'c8796b63a8603fdebabd63146ac3d3997c29a2829fdd2af6db320f4a287f2e71'],
    ia32: ['386', '7eb520d5080d2c4b2e9ad0866aa301f7c7af35058bfae61c1ba0cef472d21d47'],
    s390x: ['s390x', '829193e8c592e0df5f15402c27417df18d26503d22b77dfc9491982fe0b51a67'],
    ppc64: ['ppc64le', '5d8f1a264a3bc4b30899814ae8e898b1268e817074635adddd24b32f388e4cc4'],
    loong64: ['loong64', 'e0c584e45453c5a5ed387f14a96eaa8cb84cb110f0ff9031699087b23e3b2c2d'],
  },
};
const GO_VERSION = '2.14.9';
const OLDEST = '2.9.';
const ANSWER_MS_MAX = 5_000;
const DOWNLOAD_MS_MAX = 120_000;
const COMMAND_MS_MAX = 300_000;

const say = text => process.stdout.write(`setup: ${text}\n`);
/** Go and npm look for their caches below HOME, which a service or container may lack. */
const environment = { ...process.env, HOME: process.env.HOME ?? homedir() };

installPackages();
const found = servers();
if (found.length === 0 && !(await getServer())) fail();
if (allServers && !servers().some(isOldest)) getOldest();

/** As the lock file says; skipped when they are there already. */
function installPackages() {
  const lockFile = join(root, 'package-lock.json');
  const stampFile = join(root, 'node_modules', '.ganglion-setup');
  const lock = readFileSync(lockFile, 'utf8');
  const stamp = createHash('sha256').update(lock).digest('hex');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  if (!isInstalled(JSON.parse(lock))) {
    say('installing the npm packages of package-lock.json (npm ci)');
    if (!npm('ci')) {
      // npm ci insists on asking the registry for packages of other platforms that the lock file leaves out, and fails where
      // a registry doesn't carry them; npm install keeps to the same versions and passes over those.
      say('npm ci failed; trying npm install, which keeps to the versions of package-lock.json too');
      const installed = npm('install', '--no-save');
      writeFileSync(lockFile, lock);
      if (!installed || !isInstalled(JSON.parse(lock))) {
        say('the npm packages could not be installed; see above, then try by hand: npm ci');
        process.exit(1);
      }
    }
  }
  writeFileSync(stampFile, stamp);
}

function npm(...args) {
  const script = process.env.npm_execpath;
  const [file, all] = script?.endsWith('.js') ? [process.execPath, [script, ...args]] : ['npm', args];
  const options = { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: environment };
  return spawnSync(file, all, { ...options, shell: process.platform === 'win32' }).status === 0;
}

/** Whether what npm noted in node_modules is what the lock file asks for, e.g. after an `npm ci` by hand. */
function isInstalled(lock) {
  try {
    const noted = JSON.parse(readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8')).packages;
    return Object.entries(lock.packages).every(
      ([path, { version, optional, devOptional, peer }]) =>
        path === '' || optional || devOptional || peer || noted[path]?.version === version,
    );
  } catch {
    return false;
  }
}

/** Paths of the nats-servers that can be had: PATH first, then what was got before. */
function servers() {
  const cached = existsSync(serverCache) ? readdirSync(serverCache).map(version => join(serverCache, version)) : [];
  return [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...cached]
    .map(dir => join(dir, 'nats-server'))
    .filter(file => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function versionOf(binary) {
  const said = execFileSync(binary, ['-v'], { encoding: 'utf8', timeout: 10_000 });
  return /v(\d+\.\d+\.\d+)/.exec(said)?.[1] ?? 'unknown';
}

function isOldest(binary) {
  // The folder tells, without starting it.
  if (binary.startsWith(serverCache)) return binary.slice(serverCache.length + 1).startsWith(OLDEST);
  return versionOf(binary).startsWith(OLDEST);
}

async function getServer() {
  const ways = [
    { what: 'the official release', get: getRelease },
    { what: 'the Go toolchain', get: getByGo },
    { what: "Debian's package", get: getFromDebian },
  ];
  for (const { what, get } of ways) {
    try {
      const version = await get();
      say(`nats-server ${version} is ready`);
      return true;
    } catch (error) {
      say(`no nats-server from ${what}: ${error.message}`);
    }
  }
  return false;
}

function getOldest() {
  try {
    say(`nats-server ${getFromDebian()} is ready (the oldest supported, for the tests)`);
  } catch (error) {
    say(`the tests run without nats-server 2.9, the oldest supported: ${error.message}`);
  }
}

function fail() {
  say('there is no nats-server, and none could be got. Do one of these, then try again:');
  say(
    '  - macOS: brew install nats-server    Debian, Ubuntu: apt-get install nats-server    Windows: choco install nats-server',
  );
  say('  - with Go: go install github.com/nats-io/nats-server/v2@latest, and put its folder on PATH');
  say(
    `  - unpack a release of nats-server 2.9 or newer and put the binary on PATH, or at ${serverCache}/VERSION/nats-server`,
  );
  process.exit(1);
}

async function getRelease() {
  const [arch, sha256] = RELEASE.sha256[process.arch] ?? [];
  if (process.platform !== 'linux' || !arch)
    throw new Error(`no digest for ${process.platform} ${process.arch} is pinned`);
  const name = `nats-server-v${RELEASE.version}-linux-${arch}`;
  const url = `https://github.com/nats-io/nats-server/releases/download/v${RELEASE.version}/${name}.tar.gz`;
  say(`downloading nats-server ${RELEASE.version}: ${url}`);
  const archive = await download(url);
  const digest = createHash('sha256').update(archive).digest('hex');
  if (digest !== sha256) throw new Error(`its SHA-256 is ${digest}, expected ${sha256}; it was thrown away`);
  return keep(file => writeFileSync(file, fileInTar(gunzipSync(archive), `${name}/nats-server`)));
}

async function download(url) {
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(), ANSWER_MS_MAX);
  try {
    const response = await fetch(url, { signal: stop.signal });
    clearTimeout(timer);
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    timer = setTimeout(() => stop.abort(), DOWNLOAD_MS_MAX);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    if (stop.signal.aborted) throw new Error('it took too long', { cause: error });
    throw error.cause ? new Error(`not reachable (${error.cause.code ?? error.cause.message})`) : error;
  } finally {
    clearTimeout(timer);
  }
}

/** Content of one file of a tar archive: blocks of 512 bytes, a header before each file. */
function fileInTar(tar, path) {
  for (let at = 0; at + 512 <= tar.length; ) {
    const name = tar.toString('latin1', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8) || 0;
    if (name === path) return tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`there is no ${path} in the archive`);
}

function getByGo() {
  const dir = mkdtempSync(join(tmpdir(), 'ganglion-go-'));
  try {
    say(`building nats-server ${GO_VERSION} with Go (about a minute)`);
    command('go', ['install', `github.com/nats-io/nats-server/v2@v${GO_VERSION}`], {
      env: { ...environment, GOBIN: dir },
    });
    return keep(file => copyFileSync(join(dir, 'nats-server'), file));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Downloads the package and unpacks it, without installing it. */
function getFromDebian() {
  const dir = mkdtempSync(join(tmpdir(), 'ganglion-deb-'));
  // As root apt reads as a user of its own, who must be let in.
  chmodSync(dir, 0o755);
  try {
    say("unpacking Debian's nats-server package");
    const get = () => command('apt-get', ['download', 'nats-server'], { cwd: dir });
    try {
      get();
    } catch (error) {
      if (error.missing || process.getuid?.() !== 0) throw error;
      command('apt-get', ['update', '-qq'], {});
      get();
    }
    const deb = readdirSync(dir).find(name => name.endsWith('.deb'));
    if (!deb) throw new Error('apt-get downloaded nothing');
    command('dpkg', ['-x', deb, 'unpacked'], { cwd: dir });
    const binary = ['usr/sbin', 'usr/bin'].map(at => join(dir, 'unpacked', at, 'nats-server')).find(existsSync);
    if (!binary) throw new Error('there is no nats-server in the package');
    return keep(file => copyFileSync(binary, file));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @throws Error with the last line that the command said */
function command(name, args, options) {
  const { status, error, stderr } = spawnSync(name, args, {
    encoding: 'utf8',
    timeout: COMMAND_MS_MAX,
    env: environment,
    ...options,
  });
  if (error?.code === 'ENOENT') throw Object.assign(new Error(`there is no ${name} here`), { missing: true });
  if (status !== 0) throw new Error(`${name} failed: ${stderr?.trim().split('\n').at(-1) || error?.message || status}`);
}

/** Puts a binary into the cache under the version that it says it has; in one step, others may look meanwhile. */
function keep(write) {
  mkdirSync(serverCache, { recursive: true });
  const temporary = join(serverCache, `.new-${process.pid}`);
  try {
    write(temporary);
    chmodSync(temporary, 0o755);
    const version = versionOf(temporary);
    mkdirSync(join(serverCache, version), { recursive: true });
    renameSync(temporary, join(serverCache, version, 'nats-server'));
    return version;
  } finally {
    rmSync(temporary, { force: true });
  }
}
