import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { launchCluster } from '../../deploy/cluster/index.ts';
import type { Result } from '../../contracts/index.ts';
import type { View } from '../../deploy/view/index.ts';
import { command, temporaryFolder, until } from './command-line.ts';

const model = (name: string, postprocess: string, emulation: string): string => `kind: Model
name: ${name}
version: "1"
file: ${name}.onnx
licence: none
source: a test
preprocess: { kind: picture, width: 64, height: 64, fit: stretch }
postprocess: ${postprocess}
batchMax: 4
emulation: { alphaMs: 1, betaMs: 4, persistentMB: 50, ephemeralMBPerItem: 5, ${emulation} }
`;
const DOCUMENTS = [
  model('find', '{ kind: boxes, coordinates: corners }', 'boxes: 3'),
  model('name', '{ kind: classes }', 'loadMs: 10'),
  'kind: Query\nname: who\nobjectiveMs: 2000\nstreams: [cam]\nstages:\n  find: { model: find }\n  name: { model: name, from: find }\n',
  'kind: Stream\nname: cam\nrateHz: 4\nsource: { kind: synthetic, width: 320, height: 180 }\n',
].join('---\n');

test('cluster: apply, watch, ask, drain: the commands over real processes with emulated devices', async t => {
  t.timeout(170_000, 'a cluster of seven processes');
  const folder = await temporaryFolder(t);
  for (const name of ['find', 'name']) await writeFile(join(folder, `${name}.onnx`), name);
  await writeFile(join(folder, 'all.yaml'), DOCUMENTS);
  const picture = join(folder, 'picture.jpg');
  await sharp({ create: { width: 320, height: 180, channels: 3, background: '#468' } })
    .jpeg()
    .toFile(picture);

  const host = { actor: 'gpu-host', config: { device: { kind: 'emulated', memoryMB: 1000 } } };
  const cluster = await launchCluster({
    document: {
      kind: 'Cluster',
      name: 'test',
      nats: { start: true, port: 0 },
      actors: [
        { actor: 'allocator' },
        { actor: 'prefix-batcher' },
        { actor: 'query-router' },
        { ...host, name: 'gpu-a' },
        { ...host, name: 'gpu-b' },
        { actor: 'stream-sampler' },
      ],
      apply: ['all.yaml'],
    },
    baseDir: folder,
    dataDir: folder,
    logLevel: 'warn',
  });
  t.teardown(async () => cluster.close());
  const run = (...args: string[]) => command(args, { GANGLION_NATS: cluster.url });

  let asked = { code: 1, out: '', err: '' };
  await until(
    'a plan serves the query',
    async () => {
      asked = await run('infer', 'who', picture, '--json', '--annotate', join(folder, 'out.png'));
      return asked.code === 0;
    },
    90_000,
  );
  const result = JSON.parse(asked.out) as Result;
  t.like(result, { query: 'who', outcome: 'ok', emulated: true });
  t.deepEqual(Object.keys(result.stages).sort(), ['find', 'name']);
  const { format, width } = await sharp(await readFile(join(folder, 'out.png'))).metadata();
  t.deepEqual([format, width], ['png', 320]);

  const results = await run('results', 'who', '--count', '3', '--timeout', '30');
  t.is(results.code, 0);
  t.is(results.out.match(/^who cam #\d+ +(ok|late) +[\d.]+ (ms|s) +emulated /gm)?.length, 3, results.out);

  const unknown = await run('infer', 'nobody', picture);
  t.is(unknown.code, 1);
  t.regex(unknown.out, /rejected .*unknown-query at door/);

  const status = await run('status');
  t.regex(status.out, /epoch +\d+, \w+, led by allocator-1/);
  t.regex(status.out, /^gpu-a +emulated\* +ready/m);
  const { view } = JSON.parse((await run('status', '--json')).out) as { view: View };
  t.deepEqual(
    view.hosts.map(one => one.name),
    ['gpu-a', 'gpu-b'],
  );
  for (const line of (await run('top', '--once')).out.split('\n')) t.true(line.length <= 80, line);
  t.regex((await run('get', 'plan')).out, /^pool-\S+ +batcher prefix-batcher-1$/m);
  t.regex((await run('get', 'profiles')).out, /^find@[0-9a-f]{12} +emulated\*/m);
  t.is((JSON.parse((await run('get', 'queries', '--json')).out) as unknown[]).length, 1);
  t.regex((await run('get', 'model', 'fnd')).err, /did you mean "find/);

  const drained = await run('drain', 'gpu-a', '--wait', '--timeout', '40');
  t.is(drained.code, 0, drained.out + drained.err);
  await until('its process has ended', () => cluster.actors().find(one => one.name === 'gpu-a')!.state === 'left');
  const after = await run('results', 'who', '--count', '2', '--timeout', '30', '--json');
  const hosts = after.out
    .trim()
    .split('\n')
    .flatMap(line => (JSON.parse(line) as Result).stages['find'] ?? [])
    .map(one => one.host);
  t.deepEqual([...new Set(hosts)], ['gpu-b'], 'the other one serves on');
});

test('profile: measured once, kept, measured again when asked for larger batches', async t => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'name.onnx'), 'graph');
  const file = join(folder, 'name.yaml');
  await writeFile(file, model('name', '{ kind: classes }', 'loadMs: 1'));
  const out = join(folder, 'profile.json');
  const profile = async (...more: string[]) =>
    command(['profile', file, '--device', 'emulated', '--out', out, '--seconds', '1', '--json', ...more]);
  const read = (said: { out: string }) =>
    JSON.parse(said.out) as { measured: boolean; points: { batch: number; meanMs: number }[] };

  const first = read(await profile('--batch-max', '2'));
  t.true(first.measured);
  t.deepEqual(
    first.points.map(point => [point.batch, Math.round(point.meanMs)]),
    [
      [1, 5],
      [2, 6],
    ],
  );
  t.false(read(await profile('--batch-max', '2')).measured);
  t.is(read(await profile()).points.at(-1)!.batch, 4);
  t.true(read(await profile('--force')).measured);
});
