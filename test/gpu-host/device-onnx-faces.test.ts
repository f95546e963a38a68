import test from 'ava';
import { ModelError, type Box, type Output, type Picture } from '../../contracts/index.ts';
import { imaging, type Device, type LoadedModel } from '../../gpu-host/index.ts';
import { facePicture, type DrawnFace } from './model-face.ts';
import { loadExample, manifest, onDisk, openCpu, textPicture } from './model-setup.ts';

let device: Device;
test.before(async () => {
  device = await openCpu();
});
test.after.always(() => device.close());

const boxesOf = (output: Output): Box[] => (output.kind === 'boxes' ? output.boxes : []);

async function answer(model: LoadedModel, picture: Picture): Promise<Output> {
  const { outputs } = await model.run([await model.prepare(picture)]);
  const [output] = outputs;
  if (!output || output instanceof Error) throw output ?? new Error('no answer');
  return output;
}

test('onnx device: drawn faces are found where they are, each once, the best first', async t => {
  const faces: DrawnFace[] = [
    { x: 220, y: 220, scale: 1.4 },
    { x: 480, y: 240, scale: 0.9 },
  ];
  const detector = await loadExample(device, 'face-detect');
  const output = await answer(detector, await facePicture(640, 480, faces));
  const all = boxesOf(output);
  t.is(all.length, 2);
  const found = all.toSorted((a, b) => a.x - b.x);
  for (const [index, { x, y, width, height, score, label }] of found.entries()) {
    const drawn = faces[index]!;
    t.true(score > 0.9);
    t.is(label, 'face');
    t.true(Math.abs(x + width / 2 - drawn.x) < 20 * drawn.scale, `middle at ${x + width / 2}`);
    t.true(Math.abs(y + height / 2 - drawn.y) < 25 * drawn.scale, `middle at ${y + height / 2}`);
    t.true(width > 70 * drawn.scale && width < 130 * drawn.scale, `width ${width}`);
  }
  const [first, second] = all;
  t.true(first!.score >= second!.score);
  t.deepEqual(await answer(detector, await textPicture(640, 480, [{ text: 'nobody', x: 40, y: 240, size: 60 }])), {
    kind: 'boxes',
    boxes: [],
  });
});

test('onnx device: what a detector found feeds models of faces; raw outputs and a module of the user', async t => {
  const picture = await facePicture(640, 480, [{ x: 300, y: 220, scale: 1.6 }]);
  const found = await answer(await loadExample(device, 'face-detect'), picture);
  const [crop] = await imaging.crop(picture, boxesOf(found));
  const feature = await answer(await loadExample(device, 'face-feature'), crop!);
  t.like(feature, { kind: 'tensors', tensors: { output: { type: 'float32', dims: [512] } } });
  const aged = await answer(await loadExample(device, 'face-age'), crop!);
  const { age } = (aged as { value: { age: number } }).value;
  t.true(age > 0 && age < 101, `age ${age}`);
});

test('onnx device: a graph with a fixed batch of 1 is not loaded for more', async t => {
  const load = device.load(await onDisk(manifest('face-age')), { batchMax: 2 });
  await t.throwsAsync(load, { instanceOf: ModelError, message: /fixed batch of 1/ });
});
