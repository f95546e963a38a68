import test from 'ava';
import { VirtualClock } from '../../bus/clocks/index.ts';
import {
  InputError,
  ModelError,
  seededRandom,
  type ModelDocument,
  type Payload,
  type Profile,
} from '../../contracts/index.ts';
import { openEmulatedDevice, type ModelFiles } from '../../gpu-host/index.ts';

const detector: ModelDocument = {
  kind: 'Model',
  name: 'det',
  version: '1',
  file: 'none.onnx',
  licence: 'none',
  source: 'made up',
  preprocess: { kind: 'picture', width: 640, height: 352, fit: 'contain' },
  postprocess: { kind: 'text-boxes' },
  batchMax: 8,
  emulation: { alphaMs: 3, betaMs: 10, persistentMB: 100, ephemeralMBPerItem: 20, loadMs: 500, boxes: 2 },
};
const files = (document: ModelDocument): ModelFiles => ({
  id: `${document.name}@000000000000`,
  document,
  read: () => Promise.reject(new Error('an emulated device reads no file')),
});
const picture: Payload = { encoding: 'rgb', width: 100, height: 50, data: new Uint8Array(100 * 50 * 3) };

async function loaded(document = detector, profile?: Profile) {
  const clock = new VirtualClock();
  const device = openEmulatedDevice(
    { kind: 'emulated', seed: 7 },
    { clock, random: seededRandom(1), ...(profile ? { profiles: new Map([[profile.model, profile]]) } : {}) },
  );
  const loading = device.load(files(document), { batchMax: document.batchMax });
  await clock.runFor(document.emulation?.loadMs ?? profile?.loadMs ?? 0);
  return { clock, device, model: await loading };
}

test('emulated device: a run takes α·b + β of virtual time, runs queue up in the order of the calls', async t => {
  const { clock, model } = await loaded();
  t.is(clock.nowMs(), 500, 'loading takes its time too');
  const input = await model.prepare(picture);
  const ends: number[] = [];
  const runs = [1, 4, 2].map(async size => {
    const { runMs } = await model.run(Array.from({ length: size }, () => input));
    ends.push(clock.nowMs() - 500);
    return runMs;
  });
  await clock.runFor(1000);
  t.deepEqual(await Promise.all(runs), [13, 22, 16]);
  t.deepEqual(ends, [13, 35, 51]);
});

test('emulated device: pretended boxes lie in the picture, their mean number is as asked, and a seed replays them', async t => {
  const answers = async () => {
    const { clock, model } = await loaded();
    const input = await model.prepare(picture);
    const runs = Array.from({ length: 50 }, () => model.run(Array.from({ length: 8 }, () => input)));
    await clock.runFor(50 * 34);
    return (await Promise.all(runs)).flatMap(run => run.outputs);
  };
  const outputs = await answers();
  const boxes = outputs.flatMap(output => ('boxes' in output ? output.boxes : []));
  t.true(Math.abs(boxes.length / outputs.length - 2) < 0.3, `${boxes.length} boxes in ${outputs.length}`);
  for (const box of boxes) t.true(box.x >= 0 && box.x + box.width <= 100 && box.y >= 0 && box.y + box.height <= 50);
  t.deepEqual(await answers(), outputs);
});

test('emulated device: memory is accounted for as the manifest says', async t => {
  const { device, model } = await loaded();
  t.is(model.persistentBytes, 100e6);
  t.is(model.ephemeralBytes(4), 80e6);
  t.is(device.report.memoryBytes, 8192e6);
  t.true(device.report.emulated);
});

test('emulated device: a measured profile is replayed, between and beyond its points', async t => {
  const point = { stdMs: 0, p99Ms: 0, ephemeralBytes: 0, repeats: 9 };
  const profile: Profile = {
    v: 1,
    model: 'det@000000000000',
    device: 'emulated',
    emulated: true,
    points: [
      { ...point, batch: 1, meanMs: 10 },
      { ...point, batch: 4, meanMs: 16 },
      { ...point, batch: 8, meanMs: 32 },
    ],
    persistentBytes: 5,
    loadMs: 100,
    preMs: 0,
    postMs: 0,
  };
  const { emulation: _, ...plain } = detector;
  const { clock, model } = await loaded({ ...plain, batchMax: 10 }, profile);
  const input = await model.prepare(picture);
  const runs = [1, 3, 4, 6, 8, 10].map(size => model.run(Array.from({ length: size }, () => input)));
  await clock.runFor(1000);
  t.deepEqual(
    (await Promise.all(runs)).map(run => run.runMs),
    [10, 14, 16, 24, 32, 40],
  );
});

test('emulated device: jitter has the spread asked for and never makes time run backwards', async t => {
  const { clock, model } = await loaded({ ...detector, emulation: { ...detector.emulation!, jitter: 0.1 } });
  const input = await model.prepare(picture);
  const runs = Array.from({ length: 400 }, () => model.run([input]));
  await clock.runFor(100_000);
  const times = (await Promise.all(runs)).map(run => run.runMs);
  const mean = times.reduce((a, b) => a + b) / times.length;
  const std = Math.sqrt(times.reduce((a, b) => a + (b - mean) ** 2, 0) / times.length);
  t.true(Math.abs(mean - 13) < 0.3 && Math.abs(std - 1.3) < 0.3, `mean ${mean}, std ${std}`);
});

test('emulated device: bad input and misuse are named errors', async t => {
  const { device, model } = await loaded();
  const input = await model.prepare(picture);
  await t.throwsAsync(async () => model.prepare({ encoding: 'tensors', tensors: {} }), {
    instanceOf: InputError,
    message: /takes a picture/,
  });
  await t.throwsAsync(async () => model.prepare({ ...picture, width: 99 }), {
    instanceOf: InputError,
    message: /99×50/,
  });
  await t.throwsAsync(async () => model.run(Array.from({ length: 9 }, () => input)), {
    instanceOf: ModelError,
    message: /1\.\.8/,
  });
  const { emulation: _, ...bare } = detector;
  await t.throwsAsync(device.load(files(bare), { batchMax: 1 }), { instanceOf: ModelError, message: /emulation/ });
  await model.release();
  await t.throwsAsync(async () => model.run([input]), { instanceOf: ModelError, message: /released/ });
});
