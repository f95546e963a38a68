import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { realClock, decodeJson } from '../../bus/index.ts';
import { ConflictError, type StoredModel } from '../../contracts/index.ts';
import { applyFiles, configBucket, groupSentence, readConfig } from '../../deploy/apply/index.ts';
import { writeStored } from '../../deploy/apply/stored.ts';
import { startNats } from '../helpers/nats-server.ts';
import { command, temporaryFolder } from './command-line.ts';

const MODEL = `kind: Model
name: det
version: "1"
file: det.onnx
licence: MIT
source: here
preprocess: { kind: picture, width: 64, height: 64, fit: stretch }
postprocess: { kind: boxes, coordinates: corners }
batchMax: 4
`;
const QUERY = 'kind: Query\nname: q\nobjectiveMs: 100\nstreams: [s]\nstages: { find: { model: det } }\n';
const STREAM = 'kind: Stream\nname: s\nrateHz: 1\nsource: { kind: folder, path: pictures }\n';

test('apply: created, then unchanged, then changed; files are uploaded once; deleting asks who needs it', async t => {
  const server = await startNats(t);
  const folder = await temporaryFolder(t);
  const env = { GANGLION_NATS: server.url };
  await mkdir(join(folder, 'pictures'));
  await writeFile(join(folder, 'det.onnx'), 'not really a graph');
  await writeFile(join(folder, 'all.yaml'), [STREAM, QUERY, MODEL].join('---\n'));
  const apply = async (): Promise<string> => (await command(['apply', '-f', folder], env)).out;

  t.regex((await command(['apply', '-f', folder, '--dry-run'], env)).out, /Model det would be created/);
  t.regex(await apply(), /^Model det created det@[0-9a-f]{12}\nQuery default\/q created\nStream default\/s created\n$/);
  t.regex(await apply(), /^Model det unchanged .*\nQuery default\/q unchanged\nStream default\/s unchanged\n$/);
  await writeFile(join(folder, 'det.onnx'), 'another graph');
  t.regex(await apply(), /^Model det changed .*\nQuery default\/q unchanged/);

  const bus = await server.connect();
  const { models, streams } = await readConfig(bus, 'ganglion');
  t.is(streams[0]!.tenant, 'default');
  t.deepEqual(streams[0]!.source, { kind: 'folder', path: join(folder, 'pictures') }, 'samplers run elsewhere');
  const objects = await bus.objectStore('ganglion-models');
  t.deepEqual(Buffer.from((await objects.get(models[0]!.files['det.onnx']!))!).toString(), 'another graph');

  const refused = await command(['delete', 'model', 'det'], env);
  t.is(refused.code, 1);
  t.regex(refused.err, /model "det" is used by default\/q/);
  t.is((await command(['delete', 'query', 'q'], env)).code, 0);
  t.is((await command(['delete', 'model', 'det', '--files'], env)).code, 0);
  t.deepEqual((await readConfig(bus, 'ganglion')).models, []);
  t.is((await objects.list()).length, 1, 'the file of the first version stays, nobody named it');
  const gone = await command(['delete', 'query', 'q'], env);
  t.regex(gone.err, /query "q" does not exist/);
  t.is(gone.code, 1);
});

test('apply: nothing is written when one file of many is wrong', async t => {
  const server = await startNats(t);
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'a.yaml'), STREAM);
  await writeFile(join(folder, 'b.yaml'), MODEL);
  const { code, err } = await command(['apply', '-f', folder], { GANGLION_NATS: server.url });
  t.is(code, 2);
  t.regex(err, /b\.yaml:4: file: .*det\.onnx/);
  t.regex(err, /1 problem; nothing was changed/);
  const bus = await server.connect();
  t.deepEqual((await readConfig(bus, 'ganglion')).streams, []);
});

test('apply: documents may refer to what the cluster holds already', async t => {
  const server = await startNats(t);
  const bus = await server.connect();
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'det.onnx'), 'graph');
  await writeFile(join(folder, 'model.yaml'), MODEL);
  await writeFile(join(folder, 'query.yaml'), QUERY);
  const options = { prefix: 'p', tenant: 'team' };
  await t.throwsAsync(applyFiles(bus, [join(folder, 'query.yaml')], options), { message: /there is no model "det"/ });
  await applyFiles(bus, [join(folder, 'model.yaml')], options);
  const { items } = await applyFiles(bus, [join(folder, 'query.yaml')], options);
  t.deepEqual(items, [{ item: 'Query team/q', change: 'created' }]);
});

test('apply: a Cluster stands for the files of its apply list', async t => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'stream.yaml'), STREAM);
  await writeFile(
    join(folder, 'c.yaml'),
    'kind: Cluster\nname: c\nactors: [{ actor: allocator }]\napply: [stream.yaml]\n',
  );
  const { items } = await applyFiles(undefined, [join(folder, 'c.yaml')], { prefix: 'p', dryRun: true });
  t.deepEqual(items, [{ item: 'Stream default/s', change: 'created' }]);
});

test('apply: of two writers at once the second notices', async t => {
  const server = await startNats(t);
  const bus = await server.connect();
  const bucket = await configBucket(bus, 'p');
  await bucket.put('models.a', Buffer.from('{"n":1}'));
  const late = { ...bucket, get: async (key: string) => ({ ...(await bucket.get(key))!, revision: 0 }) };
  const stale = { ...late, update: bucket.update.bind(bucket), create: bucket.create.bind(bucket) };
  await t.throwsAsync(writeStored(stale as typeof bucket, 'models.a', { n: 2 }), { instanceOf: ConflictError });
  const { value } = (await bucket.get('models.a'))!;
  t.deepEqual(decodeJson(value!) as StoredModel, { n: 1 } as never);
  t.true(realClock.nowMs() > 0);
});

test('apply: models that share a trunk are told, in words too', async t => {
  const readers = ['score', 'clock', 'names'].map(name => `examples/models/read-${name}.yaml`);
  const { groups } = await applyFiles(undefined, readers, { prefix: 'p', dryRun: true });
  t.is(groups.length, 1, 'what is declared for emulated devices says the same');
  t.like(groups[0], { models: ['read-clock', 'read-names', 'read-score'], emulated: false });
  t.true(groups[0]!.computeShare > 0.9);
  t.regex(
    groupSentence(groups[0]!),
    /^read-clock, read-names and read-score share (over )?\d+ % of their work \(8 MB of weights\), cut at [0-9a-f]{12}$/,
  );
  const alone = await applyFiles(undefined, readers.slice(1, 2), { prefix: 'p', dryRun: true });
  t.deepEqual(alone.groups, []);
});
