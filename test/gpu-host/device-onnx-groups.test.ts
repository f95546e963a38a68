import test from 'ava';
import { cutOf, isPrefix, prefixId, type ModelDocument, type Output, type Picture } from '../../contracts/index.ts';
import {
  measureProfile,
  withCuts,
  type Device,
  type LoadedModel,
  type LoadedPrefix,
  type LoadedSuffix,
  type ModelFiles,
} from '../../gpu-host/index.ts';
import { realClock } from '../../bus/clocks/index.ts';
import { cutsOf, readModel, writeModel, type Cut } from '../../gpu-host/graph/index.ts';
import { manifest, onDisk, openCpu, textPicture } from './model-setup.ts';

/** The reader's raw outputs, so that every bit can be compared. */
const raw: ModelDocument = { ...manifest('ppocr-rec'), postprocess: { kind: 'tensors' } };
const LINES = ['7', 'Ganglion', 'latency 99', '21:07', 'HOME'];

/** The same reader with another last layer: each of its weights times `factor`. */
function withHead(graph: Uint8Array, factor: number): Uint8Array {
  const { proto, name, external } = readModel(graph);
  let changed = 0;
  for (const node of proto.graph!.node) {
    const tensor = node.attribute[0]?.t;
    if (!tensor || tensor.dims.join() !== '120,6625') continue;
    const weights = new Float32Array(Uint8Array.from(tensor.rawData).buffer).map(weight => weight * factor);
    tensor.rawData = new Uint8Array(weights.buffer);
    changed++;
  }
  if (changed !== 1) throw new Error(`${changed} last layers`);
  return writeModel({ proto, name, external });
}

async function reader(name: string, factor: number): Promise<ModelFiles> {
  const files = await onDisk(raw);
  const graph = await files.read(raw.file);
  const bytes = factor === 1 ? graph : withHead(graph, factor);
  return { ...files, id: `${name}@0123456789ab`, read: async file => (file === raw.file ? bytes : files.read(file)) };
}

let device: Device;
let cut: Cut;
let models: ModelFiles[];
let wholes: LoadedModel[];
let prefix: LoadedPrefix;
let suffixes: LoadedSuffix[];
let pictures: Picture[];

test.before(async () => {
  device = await openCpu();
  models = [await reader('plain', 1), await reader('halved', 0.5)];
  const { cuts } = cutsOf(readModel(await models[1]!.read(raw.file)));
  cut = cuts.findLast(({ exact, suffix }) => exact && suffix.parameters > 1e5)!;
  wholes = await Promise.all(models.map(model => device.load(model, { batchMax: 8 })));
  prefix = await device.loadPrefix(models[0]!, { cut: cut.hash.slice(0, 12), batchMax: 8 });
  suffixes = await Promise.all(models.map(model => prefix.loadSuffix(model, { batchMax: 8 })));
  pictures = await Promise.all(LINES.map(text => textPicture(300, 48, [{ text, x: 12, y: 36, size: 30 }])));
});
test.after.always(() => device.close());

/** Which reader each line is for; answers in the order of the lines. */
async function mixed(of: readonly number[], lines: readonly Picture[]): Promise<(Output | Error)[]> {
  const answers: (Output | Error)[] = [];
  const members = suffixes.map((suffix, m) => ({ suffix, at: of.flatMap((one, i) => (one === m ? [i] : [])) }));
  const present = members.filter(({ at }) => at.length > 0);
  const ran = await prefix.runMixed(
    await Promise.all(
      present.map(async ({ suffix, at }) => ({
        suffix: suffix.id,
        inputs: await Promise.all(at.map(async i => suffix.prepare(lines[i]!))),
      })),
    ),
  );
  present.forEach(({ at }, m) => {
    const result = ran.members[m]!;
    at.forEach((i, k) => (answers[i] = result instanceof Error ? result : result.outputs[k]!));
  });
  return answers;
}

const bytesOf = (output: Output | Error | undefined): Buffer => {
  if (output === undefined || output instanceof Error || output.kind !== 'tensors') throw output as Error;
  return Buffer.from(Object.values(output.tensors)[0]!.data);
};

test('onnx groups: what is stored with a model tells where it can be cut, and variants have that in common', async t => {
  const bytes = await Promise.all(models.map(model => model.read(raw.file)));
  const [plain, halved] = bytes.map((graph, i) => {
    const stored = { v: 1 as const, id: models[i]!.id, document: raw, files: {}, bytes: graph.byteLength };
    return withCuts(stored, graph).cuts!;
  });
  const shared = plain!.filter(one => halved!.some(other => other.cut === one.cut));
  t.true(shared.length > 10 && shared.length < plain!.length);
  const deepest = shared.at(-1)!;
  t.is(deepest.cut, cut.hash.slice(0, 12));
  t.true(deepest.computeShare > 0.9 && deepest.suffixBytes < 0.4 * deepest.prefixBytes + 3e6);
});

test('onnx groups: the parts are smaller than what they replace', t => {
  t.true(isPrefix(prefix.id) && cutOf(prefix.id) === cutOf(suffixes[0]!.id));
  const apart = wholes.reduce((sum, whole) => sum + whole.persistentBytes, 0);
  const together = suffixes.reduce((sum, suffix) => sum + suffix.persistentBytes, prefix.persistentBytes);
  t.true(together < 0.75 * apart, `${together} against ${apart}`);
  t.is(suffixes[1]!.wholeBytes > 0.9 * wholes[1]!.persistentBytes, true);
});

test('onnx groups: in a mixed batch each line gets, bit for bit, what its own model gives it', async t => {
  for (const of of [[0], [1], [0, 1], [1, 1, 0, 1, 0]]) {
    const lines = pictures.slice(0, of.length);
    const together = await mixed(of, lines);
    for (const [m, whole] of wholes.entries()) {
      const { outputs } = await whole.run(await Promise.all(lines.map(async line => whole.prepare(line))));
      of.forEach((one, i) => {
        if (one === m) t.true(bytesOf(together[i]).equals(bytesOf(outputs[i])), `line ${i} of ${of.join()}`);
      });
    }
  }
  const [one, other] = await mixed([0, 1], [pictures[0]!, pictures[0]!]);
  t.false(bytesOf(one).equals(bytesOf(other)), 'the heads do differ');
});

test('onnx groups: lines of several widths run together, each is read by its own model', async t => {
  const widths = [90, 300, 200, 130];
  const lines = await Promise.all(
    widths.map((width, i) => textPicture(width, 48, [{ text: LINES[i]!, x: 8, y: 36, size: 28 }])),
  );
  const of = [1, 0, 1, 0];
  const together = await mixed(of, lines);
  for (const [m, whole] of wholes.entries()) {
    const { outputs } = await whole.run(await Promise.all(lines.map(async line => whole.prepare(line))));
    of.forEach((one, i) => {
      if (one === m) t.true(bytesOf(together[i]).equals(bytesOf(outputs[i])));
    });
  }
});

test('onnx groups: a model without this prefix is refused, an unknown cut too', async t => {
  const face = await onDisk(manifest('face-age'));
  await t.throwsAsync(prefix.loadSuffix(face, { batchMax: 1 }), { message: /can't be cut at/ });
  await t.throwsAsync(device.loadPrefix(models[0]!, { cut: '000000000000', batchMax: 1 }), { message: /can't be cut/ });
});

test('onnx groups: a suffix is measured as what it adds, and one that was released is gone', async t => {
  const own = await prefix.loadSuffix({ ...models[1]!, id: 'third@0123456789ab' }, { batchMax: 2 });
  const profile = await measureProfile(device, own, { batchMax: 2, clock: realClock, seconds: 0.5 });
  const trunk = await measureProfile(device, prefix, { batchMax: 2, clock: realClock, seconds: 0.5 });
  t.is(trunk.model, prefixId(cut.hash.slice(0, 12)));
  t.true(profile.points[0]!.meanMs < trunk.points[0]!.meanMs);
  const inputs = [await own.prepare(pictures[0]!)];
  await own.release();
  await t.throwsAsync(prefix.runMixed([{ suffix: own.id, inputs }]), { message: /is not loaded behind/ });
  const { members } = await prefix.runMixed([
    { suffix: suffixes[0]!.id, inputs: [await suffixes[0]!.prepare(pictures[1]!)] },
  ]);
  t.false(members[0] instanceof Error);
});
