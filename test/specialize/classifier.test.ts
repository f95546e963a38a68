import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { seededRandom } from '../../contracts/index.ts';
import { openModel } from '../../gpu-host/edit/index.ts';
import { hashesOf } from '../../gpu-host/graph/index.ts';
import type { Device } from '../../gpu-host/index.ts';
import { command, temporaryFolder } from '../deploy/command-line.ts';
import { openCpu } from '../gpu-host/model-setup.ts';
import { answersOf, modelAt, SHAPE_NAMES, shapePicture, writeShapes } from './setup.ts';

const BACKBONE = 'examples/models/ppocr-direction.yaml';
let device: Device;
test.before(async () => {
  device = await openCpu();
});
test.after.always(() => device.close());

interface Told {
  readonly name: string;
  readonly features: { readonly tensor: string; readonly count: number };
  readonly heldOut: {
    readonly examples: number;
    readonly right: number;
    readonly accuracy: number;
    readonly chance: number;
    readonly mistakes: readonly { readonly label: string; readonly told: string; readonly count: number }[];
  };
  readonly warnings: readonly string[];
  readonly written: readonly string[];
}

async function fitted(
  t: ExecutionContext,
  backbone: string,
  pictures: string,
  ...flags: readonly string[]
): Promise<Told> {
  const out = await temporaryFolder(t);
  const line = ['specialize', 'classifier', backbone, '--pictures', pictures, '--out', out, ...flags, '--json'];
  const { code, out: said, err } = await command(line);
  t.is(code, 0, err);
  return JSON.parse(said) as Told;
}

async function shapes(t: ExecutionContext, each: number, seed = 7): Promise<string> {
  const folder = await temporaryFolder(t);
  await writeShapes(folder, Object.fromEntries(SHAPE_NAMES.map(name => [name, each])), seed);
  return folder;
}

test('classifier: shapes are told apart on the features of a text direction model, by the written model as measured', async t => {
  const told = await fitted(t, BACKBONE, await shapes(t, 30), '--name', 'shapes');
  t.deepEqual(told.features, { tensor: 'reshape2_0.tmp_0', count: 200 });
  t.is(told.heldOut.examples, 18);
  t.true(told.heldOut.accuracy >= 0.9, `held out ${told.heldOut.accuracy}`);
  const model = await modelAt(told.written[0]!);
  t.is(model.document.name, 'shapes');
  t.deepEqual(model.document.preprocess, (await modelAt(BACKBONE)).document.preprocess);
  const [trunk, made] = [await openModel(await modelAt(BACKBONE)), await openModel(model)].map(
    ({ model }) => hashesOf(model).values,
  );
  t.is(made!.get(told.features.tensor), trunk!.get(told.features.tensor), 'the trunk is the same');
  // Pictures that neither the head nor the measurement has seen.
  const random = seededRandom(99);
  const fresh = Array.from({ length: 30 }, (_, i) => SHAPE_NAMES[i % SHAPE_NAMES.length]!);
  const answers = await answersOf(device, model, await Promise.all(fresh.map(name => shapePicture(name, random))));
  const right = answers.filter((answer, i) => {
    if (answer.kind !== 'classes') throw new Error('no classes');
    const sum = answer.classes.reduce((sum, { score }) => sum + score, 0);
    t.true(Math.abs(sum - 1) < 1e-5, `probabilities add up to ${sum}`);
    return answer.classes[0]!.label === fresh[i];
  });
  t.true(right.length >= 27, `${right.length} of 30`);
});

test('classifier: a map of a convolution does too, and a graph without any last layer (exported for a batch of 1)', async t => {
  const pictures = await shapes(t, 12);
  const map = await fitted(t, BACKBONE, pictures, '--features', 'hardswish_17.tmp_0');
  t.true(map.features.count > 100 && map.heldOut.accuracy >= 0.6, JSON.stringify(map));
  const face = await fitted(t, 'examples/models/face-feature.yaml', pictures);
  t.deepEqual(face.features, { tensor: 'output', count: 512 });
  t.is((await modelAt(face.written[0]!)).document.batchMax, 8, 'freed from its batch of 1 when it is packed');
});

test('classifier: what can not be learnt is not claimed: labels given by lot', async t => {
  const folder = await temporaryFolder(t);
  const random = seededRandom(3);
  for (const label of ['a', 'b']) {
    await mkdir(join(folder, label));
    for (let i = 0; i < 40; i++) await writeFile(join(folder, label, `${i}.png`), await shapePicture('disc', random));
  }
  const { heldOut } = await fitted(t, BACKBONE, folder, '--hold-out', '0.5');
  t.true(heldOut.accuracy < 0.75, `accuracy ${heldOut.accuracy}`);
  t.is(heldOut.chance, 0.5);
  t.is(
    heldOut.mistakes.reduce((sum, { count }) => sum + count, 0),
    heldOut.examples - heldOut.right,
  );
});

test('classifier: the seed decides what is held out, few pictures and other files are warned of', async t => {
  const folder = await shapes(t, 6);
  await writeFile(join(folder, 'disc', 'notes.txt'), 'not a picture');
  const [one, again] = [await fitted(t, BACKBONE, folder), await fitted(t, BACKBONE, folder)];
  t.deepEqual(one.heldOut, again.heldOut);
  const warnings = one.warnings.join('\n');
  t.regex(warnings, /fewer than 20 pictures of disc \(6\), square \(6\), stripes \(6\)/);
  t.regex(warnings, /measured on 3 pictures alone/);
  t.regex(warnings, /left out, being no pictures by their names: .*notes\.txt/);
});

test('classifier: what is wrong with a folder is said, with exit code 2, and nothing is written', async t => {
  const refused = async (expected: RegExp, pictures: string, ...flags: readonly string[]): Promise<void> => {
    const out = await temporaryFolder(t);
    const { code, err } = await command([
      'specialize',
      'classifier',
      BACKBONE,
      '--pictures',
      pictures,
      '--out',
      out,
      ...flags,
    ]);
    t.is(code, 2, err);
    t.regex(err, expected);
    await t.throwsAsync(modelAt(join(out, 'ppocr-direction-classifier.yaml')));
  };
  const good = await shapes(t, 3);
  await refused(/there is no such folder/, join(good, 'none'));
  await refused(/is no folder/, join(good, 'disc', '0.png'));
  await refused(/3 pictures have no label: they lie in no folder of one/, join(good, 'disc'));
  await refused(/the graph reckons no tensor "nothing"/, good, '--features', 'nothing');
  await refused(/the graph reckons no tensor "fc_0.w_0"/, good, '--features', 'fc_0.w_0');
  const empty = await temporaryFolder(t);
  await refused(/holds no folders/, empty);
  await writeShapes(empty, { disc: 3 }, 1);
  await refused(/holds one label alone \(disc\)/, empty);
  await mkdir(join(empty, 'square'));
  await refused(/square: holds no pictures/, empty);
  await writeShapes(empty, { square: 1 }, 1);
  await refused(/label "square" has 1 picture/, empty);
  await writeFile(join(empty, 'square', 'torn.jpg'), Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]));
  await writeFile(join(empty, 'square', 'words.png'), 'these are words');
  await refused(/2 of 6 pictures can't be used:\n.*torn\.jpg: [^\n]*\n.*words\.png: is no picture/, empty);
});
