import test from 'ava';
import { InputError, type Box, type Output, type Payload } from '../../contracts/index.ts';
import { imaging, type Device } from '../../gpu-host/index.ts';
import { openCpu, loadExample, textPicture } from './model-setup.ts';

let device: Device;
test.before(async () => {
  device = await openCpu();
});
test.after.always(() => device.close());

const boxesOf = (output: Output | Error | undefined): Box[] => {
  if (output instanceof Error) throw output;
  return output?.kind === 'boxes' ? output.boxes : [];
};

/** Finds text in a picture, cuts it out and reads it: what a two-stage query does. */
async function read(picture: Payload): Promise<{ text: string; score: number; box: Box }[]> {
  if (picture.encoding === 'tensors') throw new Error('no picture');
  const detector = await loadExample(device, 'ppocr-det');
  const reader = await loadExample(device, 'ppocr-rec');
  const { outputs } = await detector.run([await detector.prepare(picture)]);
  const boxes = boxesOf(outputs[0]);
  const crops = await imaging.crop(picture, boxes);
  if (crops.length === 0) return [];
  const prepared = await Promise.all(crops.map(async crop => reader.prepare(crop)));
  const read = await reader.run(prepared);
  return read.outputs.map((output, index) => {
    if (output instanceof Error || output.kind !== 'text') throw new Error(`no text: ${JSON.stringify(output)}`);
    return { text: output.text, score: output.score, box: boxes[index]! };
  });
}

test('onnx device: rendered text of several sizes is found and read, in pixels of the picture', async t => {
  const picture = await textPicture(960, 540, [
    { text: 'HOME 21', x: 60, y: 120, size: 48 },
    { text: 'GUEST 17', x: 600, y: 120, size: 48 },
    { text: 'Quarter 3', x: 380, y: 420, size: 36 },
  ]);
  const found = await read(picture);
  t.deepEqual(
    found.map(({ text }) => text.replaceAll(' ', '')),
    ['HOME21', 'GUEST17', 'Quarter3'],
  );
  for (const { score } of found) t.true(score > 0.8, `score ${score}`);
  const [home] = found;
  t.true(
    Math.abs(home!.box.x - 60) < 20 && home!.box.y > 60 && home!.box.y + home!.box.height < 150,
    JSON.stringify(home),
  );
});

test('onnx device: text at an angle is turned upright before it is read', async t => {
  const picture = await textPicture(640, 352, [{ text: 'SCORE 2026', x: 120, y: 80, size: 44, turn: 20 }]);
  const found = await read(picture);
  t.deepEqual(
    found.map(({ text }) => text.replaceAll(' ', '')),
    ['SCORE2026'],
  );
  t.is(found[0]!.box.quad?.length, 8);
});

test('onnx device: in a batch of lines of different width each is read as if it were alone', async t => {
  const reader = await loadExample(device, 'ppocr-rec');
  const texts = ['7', 'Ganglion', 'latency 99'];
  const lines = await Promise.all(
    texts.map(text => textPicture(30 + text.length * 24, 60, [{ text, x: 12, y: 44, size: 36 }])),
  );
  const answer = async (batch: typeof lines): Promise<string[]> => {
    const { outputs } = await reader.run(await Promise.all(batch.map(async line => reader.prepare(line))));
    return outputs.map(output =>
      output instanceof Error || output.kind !== 'text' ? JSON.stringify(output) : output.text,
    );
  };
  const together = await answer(lines);
  const alone: string[] = [];
  for (const line of lines) alone.push(...(await answer([line])));
  t.deepEqual(together, alone);
  t.deepEqual(
    together.map(text => text.replaceAll(' ', '')),
    ['7', 'Ganglion', 'latency99'],
  );
});

test('onnx device: lines that stand upright or on their head are told apart, each in one batch', async t => {
  const direction = await loadExample(device, 'ppocr-direction');
  const upright = await textPicture(220, 60, [{ text: 'Direction', x: 14, y: 44, size: 40 }]);
  const turned = await textPicture(220, 60, [{ text: 'Direction', x: 206, y: 16, size: 40, turn: 180 }]);
  const prepared = await Promise.all([upright, turned, upright].map(async line => direction.prepare(line)));
  const { outputs } = await direction.run(prepared);
  const labels = outputs.map(output => ('classes' in output ? output.classes[0]?.label : undefined));
  t.deepEqual(labels, ['0', '180', '0']);
});

test('onnx device: an input that is no picture fails alone, the others of the batch are answered', async t => {
  const reader = await loadExample(device, 'ppocr-rec');
  const good = await textPicture(120, 60, [{ text: '42', x: 20, y: 44, size: 40 }]);
  const truncated = { ...good, data: good.data.subarray(0, good.data.length >> 1) };
  const results = await Promise.allSettled([good, truncated, good].map(async picture => reader.prepare(picture)));
  t.true(results[1]?.status === 'rejected' && results[1].reason instanceof InputError);
  const prepared = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
  const { outputs } = await reader.run(prepared);
  t.deepEqual(
    outputs.map(output => (output instanceof Error || output.kind !== 'text' ? JSON.stringify(output) : output.text)),
    ['42', '42'],
  );
});
