import { monitorEventLoopDelay } from 'node:perf_hooks';
import test from 'ava';
import { DeviceError, InputError, ModelError, type ModelDocument, type Payload } from '../../contracts/index.ts';
import { WrongOutputError, type Device } from '../../gpu-host/index.ts';
import { oneNodeModel } from '../../gpu-host/onnx/probe-graph.ts';
import { inMemory, loadExample, openCpu, textPicture } from './model-setup.ts';

let device: Device;
test.before(async () => {
  device = await openCpu();
});
test.after.always(() => device.close());

const raw: ModelDocument = {
  kind: 'Model',
  name: 'tiny',
  version: '1',
  file: 'tiny.onnx',
  licence: 'none',
  source: 'made here',
  preprocess: { kind: 'tensors' },
  postprocess: { kind: 'tensors' },
  batchMax: 8,
};
/** y = −x for vectors of two. */
const negate = oneNodeModel({ operator: 'Neg', inputs: { x: ['N', 2] }, outputs: { y: ['N', 2] } });
const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const vector = (...values: number[]): Payload => ({
  encoding: 'tensors',
  tensors: { x: { type: 'float32', dims: [values.length], data: floats(...values) } },
});
const valuesOf = (output: unknown): number[] => {
  const { data } = (output as { tensors: { y: { data: Uint8Array } } }).tensors.y;
  return [...new Float32Array(Uint8Array.from(data).buffer)];
};

test('onnx device: a missing provider is passed over and the report says so', async t => {
  const device = await openCpu(['nosuch', 'cpu']);
  t.teardown(() => device.close());
  const { report } = device;
  t.is(report.provider, 'cpu');
  t.deepEqual(report.asked, ['nosuch', 'cpu']);
  t.is(report.tried.length, 2);
  t.truthy(report.tried[0]?.error);
  t.is(report.tried[1]?.error, undefined);
  t.regex(report.kind, /^cpu-1t-[a-z0-9-]+$/);
  t.false(report.emulated);
});

test('onnx device: without any provider asked for it does not open, and names each', async t => {
  const error = await t.throwsAsync(openCpu(['nosuch', 'neither']), { instanceOf: DeviceError });
  t.regex(error?.message ?? '', /nosuch: .*neither: /s);
});

test('onnx device: each input of a batch gets its own answer, inputs of tensors are checked one by one', async t => {
  const model = await device.load(inMemory(raw, { 'tiny.onnx': negate }), { batchMax: 8 });
  const prepared = await Promise.all(
    [vector(1, 2), vector(3, 4), vector(5, 6)].map(async payload => model.prepare(payload)),
  );
  const { outputs, runMs } = await model.run(prepared);
  t.deepEqual(outputs.map(valuesOf), [
    [-1, -2],
    [-3, -4],
    [-5, -6],
  ]);
  t.true(runMs > 0);

  const refused = (payload: Payload, message: RegExp) =>
    t.throwsAsync(async () => model.prepare(payload), { instanceOf: InputError, message });
  await refused(vector(1, 2, 3), /dims \[3\].*has \[2\]/);
  await refused({ encoding: 'tensors', tensors: {} }, /"x" is missing/);
  await refused(
    { encoding: 'tensors', tensors: { x: { type: 'int32', dims: [2], data: floats(1, 2) } } },
    /int32.*float32/,
  );
  await refused(
    { encoding: 'tensors', tensors: { x: { type: 'float32', dims: [2], data: floats(1) } } },
    /8 bytes, not 4/,
  );
  await refused({ encoding: 'jpeg', data: Uint8Array.of(1) }, /takes tensors/);
  await t.throwsAsync(async () => model.run(prepared), { instanceOf: ModelError, message: /run already/ });
});

test('onnx device: numbers that are none and wrong shapes are told as such, each input by itself', async t => {
  const wrong = async (document: ModelDocument, files: Record<string, Uint8Array>, ...vectors: number[][]) => {
    const model = await device.load(inMemory(document, { 'tiny.onnx': negate, ...files }), { batchMax: 8 });
    const { outputs } = await model.run(
      await Promise.all(vectors.map(async values => model.prepare(vector(...values)))),
    );
    return outputs.map(output => (output instanceof WrongOutputError ? output.message : JSON.stringify(output)));
  };
  const classes = await wrong({ ...raw, postprocess: { kind: 'classes', top: 1 } }, {}, [1, 2], [NaN, 2]);
  t.regex(classes[0]!, /"kind":"classes"/);
  t.regex(classes[1]!, /tiny.*values that are no numbers/);
  const keys = { 'keys.txt': Buffer.from('a\nb\nc\n') };
  const [text] = await wrong({ ...raw, postprocess: { kind: 'ctc', keys: 'keys.txt' } }, keys, [1, 2]);
  t.regex(text!, /tiny.*gives 2 classes/);
});

test('onnx device: tensors whose varying dims differ run apart in one batch', async t => {
  const graph = oneNodeModel({ operator: 'Neg', inputs: { x: ['N', 'L'] }, outputs: { y: ['N', 'L'] } });
  const model = await device.load(inMemory(raw, { 'tiny.onnx': graph }), { batchMax: 8 });
  const prepared = await Promise.all([vector(1), vector(2, 3), vector(4)].map(async payload => model.prepare(payload)));
  const { outputs } = await model.run(prepared);
  t.deepEqual(outputs.map(valuesOf), [[-1], [-2, -3], [-4]]);
});

test('onnx device: a graph that is corrupt, truncated or does not fit its manifest is refused with a sentence', async t => {
  const refused = async (document: ModelDocument, file: Uint8Array, message: RegExp, batchMax = document.batchMax) => {
    const load = device.load(inMemory(document, { [document.file]: file }), { batchMax });
    await t.throwsAsync(load, { instanceOf: ModelError, message }, String(message));
  };
  await refused(raw, Buffer.from('this is no graph'), /tiny.*16 bytes.*can't be loaded/s);
  await refused(raw, negate.subarray(0, negate.length - 20), /can't be loaded/);
  await refused(raw, new Uint8Array(), /is empty/);
  await refused({ ...raw, input: 'image' }, negate, /no input "image"; it has x \(float32 \[N,2\]\)/);
  await refused({ ...raw, postprocess: { kind: 'classes', output: 'z' } }, negate, /no output "z".*it has y/);
  const picture: ModelDocument['preprocess'] = { kind: 'picture', width: 8, height: 8, fit: 'stretch' };
  await refused({ ...raw, preprocess: picture }, negate, /dims \[N,2\], the manifest makes \[N,3,8,8\]/);
  const fixed = oneNodeModel({ operator: 'Neg', inputs: { x: [1, 2] }, outputs: { y: [1, 2] } });
  await refused(raw, fixed, /fixed batch of 1.*batchMax: 1/);
  const good = await device.load(inMemory(raw, { 'tiny.onnx': fixed }), { batchMax: 1 });
  t.deepEqual(
    valuesOf((await good.run([await good.prepare(vector(1, 2))])).outputs[0]),
    [-1, -2],
    'the device still works',
  );
});

test('onnx device: modules of the user stand before and behind the graph, in TypeScript too', async t => {
  const document: ModelDocument = {
    ...raw,
    preprocess: { kind: 'module', file: 'pre.ts' },
    postprocess: { kind: 'module', file: 'post.mjs' },
  };
  const files = {
    'tiny.onnx': negate,
    'pre.ts': `import { Buffer } from 'node:buffer';
      export function preprocess(payload: { data: Uint8Array }) {
        if (payload.data.length !== 2) throw new Error('two bytes, please');
        const data = new Uint8Array(Float32Array.from(payload.data).buffer as ArrayBuffer);
        return { tensors: { x: { type: 'float32', dims: [2], data } }, info: { asked: Buffer.from('hi').toString() } };
      }`,
    'post.mjs': `export const postprocess = ({ y }, info) => {
        if (y.values[0] === -9) throw new Error('nine');
        return { sum: y.values[0] + y.values[1], asked: info.custom.asked };
      }`,
  };
  const model = await device.load(inMemory(document, files), { batchMax: 4 });
  const bytes = (...data: number[]): Payload => ({ encoding: 'jpeg', data: Uint8Array.from(data) });
  const prepared = await Promise.all(
    [bytes(1, 2), bytes(9, 9), bytes(3, 4)].map(async payload => model.prepare(payload)),
  );
  const { outputs } = await model.run(prepared);
  t.deepEqual(outputs[0], { kind: 'custom', value: { sum: -3, asked: 'hi' } });
  t.true(outputs[1] instanceof ModelError && /nine/.test(outputs[1].message));
  t.deepEqual(outputs[2], { kind: 'custom', value: { sum: -7, asked: 'hi' } });
  await t.throwsAsync(async () => model.prepare(bytes(1)), { instanceOf: InputError, message: /two bytes/ });
  await t.throwsAsync(
    device.load(inMemory(document, { ...files, 'post.mjs': 'export const wrong = 1' }), { batchMax: 1 }),
    { instanceOf: ModelError, message: /post\.mjs exports no function "postprocess"/ },
  );
  await t.throwsAsync(device.load(inMemory(document, { ...files, 'pre.ts': 'export ~' }), { batchMax: 1 }), {
    instanceOf: ModelError,
    message: /pre\.ts can't be loaded/,
  });
});

test('onnx device: a released model refuses, the others go on, close waits for what runs', async t => {
  const device = await openCpu();
  const load = () => device.load(inMemory(raw, { 'tiny.onnx': negate }), { batchMax: 8 });
  const [first, second] = [await load(), await load()];
  const running = first.run([await first.prepare(vector(1, 2))]);
  await first.release();
  t.deepEqual(valuesOf((await running).outputs[0]), [-1, -2], 'release waits for the run');
  await t.throwsAsync(async () => first.prepare(vector(1, 2)), { instanceOf: ModelError, message: /released/ });
  const input = await second.prepare(vector(3, 4));
  const last = second.run([input]);
  await device.close();
  t.deepEqual(valuesOf((await last).outputs[0]), [-3, -4]);
  await t.throwsAsync(load(), { instanceOf: DeviceError });
});

test('onnx device: the event loop stays free while it works', async t => {
  const detector = await loadExample(device, 'ppocr-det');
  const picture = await textPicture(640, 352, [{ text: 'busy', x: 100, y: 200, size: 80 }]);
  const turn = async () => {
    const { runMs } = await detector.run(await Promise.all([detector.prepare(picture), detector.prepare(picture)]));
    return runMs;
  };
  await turn();
  const delay = monitorEventLoopDelay({ resolution: 2 });
  delay.enable();
  let runMs = 0;
  for (let i = 0; i < 4; i++) runMs = Math.max(runMs, await turn());
  delay.disable();
  const medianMs = delay.percentile(50) / 1e6;
  t.log(
    `runs of ${runMs.toFixed(0)} ms; loop delay p50 ${medianMs.toFixed(1)}, p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms`,
  );
  // A loop blocked by the runs would wait about as long as they take; a busy machine may well delay a timer now and then.
  t.true(medianMs < runMs / 4);
});
