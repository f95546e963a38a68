import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { NodeProtoSchema, TensorProto_DataType, type NodeProto } from 'onnx-buf';
import { toBinary } from '@bufbuild/protobuf';
import { alphabetOf, type Device, type ModelFiles } from '../../gpu-host/index.ts';
import { hashesOf } from '../../gpu-host/graph/index.ts';
import { cutAt } from '../../deploy/specialize/head.ts';
import { closeModel, openModel } from '../../gpu-host/edit/index.ts';
import { command, temporaryFolder } from '../deploy/command-line.ts';
import { openCpu, textPicture } from '../gpu-host/model-setup.ts';
import { answersOf, modelAt, withTensors } from './setup.ts';

const READER = 'examples/models/ppocr-rec.yaml';
let device: Device;
test.before(async () => {
  device = await openCpu();
});
test.after.always(() => device.close());

async function restricted(t: ExecutionContext, ...flags: readonly string[]): Promise<ModelFiles> {
  const folder = await temporaryFolder(t);
  const { code, err } = await command([
    'specialize',
    'alphabet',
    READER,
    ...flags,
    '--name',
    'narrow',
    '--out',
    folder,
  ]);
  t.is(code, 0, err);
  return modelAt(join(folder, 'narrow.yaml'));
}

/** Scores before the softmax, [T, classes], for each picture. */
async function scores(files: ModelFiles, pictures: readonly Uint8Array[]): Promise<Float32Array[]> {
  const model = await openModel(files);
  const last = model.graph.node.at(-1)!;
  const cutting = cutAt(model.graph, last.input[0]!);
  const answers = await answersOf(device, withTensors(files, closeModel(model, cutting.graph)), pictures);
  return answers.map(answer => {
    if (answer.kind !== 'tensors') throw new Error('no tensors');
    return new Float32Array(Uint8Array.from(answer.tensors[cutting.output]!.data).buffer);
  });
}

async function alphabetOfModel(files: ModelFiles): Promise<string[]> {
  const { postprocess } = files.document;
  if (postprocess.kind !== 'ctc') throw new Error('no reader');
  const keys = Buffer.from(await files.read(postprocess.keys)).toString('utf8');
  return alphabetOf(keys, { blank: postprocess.blank ?? 0, space: postprocess.space ?? true });
}

const lines = (texts: readonly string[]): Promise<Uint8Array[]> =>
  Promise.all(
    texts.map(async text => {
      const picture = await textPicture(30 * text.length + 20, 48, [{ text, x: 10, y: 38, size: 36 }]);
      return 'data' in picture ? picture.data : new Uint8Array();
    }),
  );

test('alphabet: the scores of the characters that stay are what they were, bit for bit', async t => {
  const whole = await modelAt(READER);
  const before = await alphabetOfModel(whole);
  const pictures = await lines(['12:34', 'LIONS', '07', 'Quarter 3']);
  const all = await scores(whole, pictures);
  for (const flags of [
    ['--keep', '0123456789:'],
    ['--alphabet', 'names'],
    ['--keep', '7'],
    ['--alphabet', 'letters,decimal'],
  ]) {
    const narrow = await restricted(t, ...flags);
    const after = await alphabetOfModel(narrow);
    const few = await scores(narrow, pictures);
    few.forEach((values, picture) => {
      const steps = values.length / after.length;
      t.is(all[picture]!.length, steps * before.length);
      let differ = 0;
      for (let step = 0; step < steps; step++)
        after.forEach((character, index) => {
          const from = step * before.length + before.indexOf(character);
          if (!Object.is(values[step * after.length + index], all[picture]![from])) differ++;
        });
      t.is(differ, 0, `${flags.join(' ')}: picture ${picture}`);
    });
  }
});

test('alphabet: what is read is of the alphabet, the blank still parts what is double', async t => {
  const narrow = await restricted(t, '--alphabet', 'clock');
  const answers = await answersOf(device, narrow, await lines(['12:34', '00:11', '5.5', 'LIONS']));
  const texts = answers.map(answer => (answer.kind === 'text' ? answer.text : '?'));
  t.deepEqual(texts.slice(0, 3), ['12:34', '00:11', '5.5']);
  t.regex(texts[3]!, /^[0-9:.]*$/);
});

test('alphabet: every node but the constants of the last layer is byte for byte what it was', async t => {
  const whole = await openModel(await modelAt(READER));
  const narrow = await openModel(await restricted(t, '--alphabet', 'digits'));
  const asBytes = (node: NodeProto): string => Buffer.from(toBinary(NodeProtoSchema, node)).toString('base64');
  const kept = new Set(narrow.graph.node.map(asBytes));
  const changed = whole.graph.node.filter(node => !kept.has(asBytes(node)));
  t.is(narrow.graph.node.length, whole.graph.node.length);
  t.deepEqual(changed.map(({ opType, attribute }) => `${opType} ${attribute[0]?.t?.dims.join('x')}`).sort(), [
    'Constant 120x6625',
    'Constant 6625',
  ]);
  const [before, after] = [hashesOf(whole.model).values, hashesOf(narrow.model).values];
  t.is(after.get('transpose_51.tmp_0'), before.get('transpose_51.tmp_0'), 'what the last layer reads');
  t.not(after.get('softmax_11.tmp_0'), before.get('softmax_11.tmp_0'));
  const output = narrow.graph.output[0]!.type!.value;
  t.is(output.case === 'tensorType' ? output.value.elemType : undefined, TensorProto_DataType.FLOAT);
  const last = output.case === 'tensorType' ? output.value.shape?.dim.at(-1)?.value.value : undefined;
  t.is(last, 11n);
});

test('alphabet: keys and document speak of the same classes; preprocessing stays', async t => {
  const whole = await modelAt(READER);
  const narrow = await restricted(t, '--alphabet', 'names');
  t.deepEqual((await alphabetOfModel(narrow)).sort(), ['', ' ', ...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('')]);
  t.deepEqual(narrow.document.preprocess, whole.document.preprocess);
  t.is(narrow.document.postprocess.kind === 'ctc' && narrow.document.postprocess.space, true);
  t.is(narrow.document.licence, whole.document.licence);
  const digits = await restricted(t, '--alphabet', 'digits');
  t.is(digits.document.postprocess.kind === 'ctc' && digits.document.postprocess.space, false);
  t.deepEqual((await alphabetOfModel(digits))[0], '');
});

test('alphabet: what can not be done is said, with exit code 2', async t => {
  const folder = await temporaryFolder(t);
  const refused = async (expected: RegExp, model: string, ...flags: readonly string[]): Promise<void> => {
    const { code, err, out } = await command(['specialize', 'alphabet', model, ...flags, '--out', folder]);
    t.is(code, 2, out);
    t.regex(err, expected);
  };
  await refused(/no class for "∰" \(U\+2230\), "€" \(U\+20AC\)/, READER, '--keep', '0∰€');
  await refused(/say which characters stay/, READER);
  await refused(/"digits" names an alphabet.*\n?.*--alphabet digits/, READER, '--keep', 'digits');
  await refused(/alphabet "digit".*did you mean "digits"/, READER, '--alphabet', 'digit');
  await refused(/ppocr-det is no text recogniser/, 'examples/models/ppocr-det.yaml', '--alphabet', 'digits');
  await refused(/holds no document of kind Model/, 'examples/queries/scoreboard.yaml', '--alphabet', 'digits');
  await refused(/no such file/, 'examples/models/none.yaml', '--alphabet', 'digits');
  await t.throwsAsync(readFile(join(folder, 'ppocr-rec-digits.yaml')));
});
