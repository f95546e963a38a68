import test, { type ExecutionContext } from 'ava';
import type { Box, Output, Picture } from '../../contracts/index.ts';
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

test('onnx device: face models that were exported for a batch of 1 answer batches, each input as it does alone', async t => {
  const picture = await facePicture(640, 480, [{ x: 300, y: 220, scale: 1.6 }]);
  const other = await facePicture(640, 480, [{ x: 200, y: 200, scale: 1.2 }]);
  for (const name of ['face-detect', 'face-age', 'face-feature']) {
    const fixed = await device.load(await onDisk({ ...manifest(name), batchMax: 1 }), { batchMax: 1 });
    const free = await device.load(await onDisk(manifest(name)), { batchMax: 3 });
    const pictures = [picture, other, picture];
    const { outputs } = await free.run(await Promise.all(pictures.map(async one => free.prepare(one))));
    for (const [i, one] of pictures.entries()) isClose(t, outputs[i], await answer(fixed, one), `${name} ${i}`);
  }
});

/** The same but for rounding: kernels add up a batch in another order. */
function isClose(t: ExecutionContext, got: unknown, wanted: unknown, what: string): void {
  const numbers = (value: unknown): number[] => {
    if (typeof value === 'number') return [value];
    if (value instanceof Uint8Array) return [...new Float32Array(Uint8Array.from(value).buffer)];
    return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbers) : [];
  };
  const [some, others] = [numbers(got), numbers(wanted)];
  t.true(others.length > 0, what);
  t.is(some.length, others.length, what);
  const largest = Math.max(...others.map(Math.abs));
  t.true(
    others.every((value, i) => Math.abs(value - some[i]!) <= 1e-4 * largest),
    what,
  );
}
