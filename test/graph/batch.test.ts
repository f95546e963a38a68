import test from 'ava';
import { Tensor } from 'onnxruntime-node';
import { cutsOf, freeBatch, graftInput, GraphError, readModel, writeModel } from '../../gpu-host/graph/index.ts';
import { pictureTensor } from '../../gpu-host/pre/normalise.ts';
import type { PictureSettings } from '../../gpu-host/pre/picture.ts';
import { floats, integers, modelOf, node, residual, weights, type Network } from './networks.ts';
import { difference, realModel, runModel, wave, type Tensors } from './onnx-run.ts';

const FACES = [
  ['fr_age.onnx', [3, 64, 64]],
  ['fr_detect.onnx', [3, 240, 320]],
  ['fr_eye.onnx', [1, 24, 24]],
  ['fr_feature.onnx', [3, 112, 112]],
  ['fr_gender.onnx', [3, 64, 64]],
  ['fr_landmark.onnx', [1, 64, 64]],
  ['fr_liveness.onnx', [3, 128, 128]],
  ['fr_pose.onnx', [3, 224, 224]],
] as const;
const BATCH = 3;

/** Entry i of every tensor. */
const entry = (tensors: Tensors, i: number): Tensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { data, dims }]) => {
      const size = data.length / dims[0]!;
      return [
        name,
        new Tensor('float32', (data as Float32Array).slice(i * size, (i + 1) * size), [1, ...dims.slice(1)]),
      ];
    }),
  );

for (const [file, dims] of FACES)
  test(`batch: ${file} answers each input of a batch as it does one alone`, async t => {
    const model = realModel('face', file);
    const freed = freeBatch(model);
    const name = model.proto.graph!.input[0]!.name;
    const feeds = { [name]: wave([BATCH, ...dims]) };
    const together = await runModel(freed, feeds);
    for (let i = 0; i < BATCH; i++)
      t.true(difference(await runModel(model, entry(feeds, i)), entry(together, i)) < 1e-5);
    t.notThrows(() => readModel(writeModel(freed)));
    t.true(cutsOf(freed).cuts.length >= cutsOf(model).cuts.length);
    t.is(freeBatch(freed), freed, 'nothing is left to do');
  });

const fixed = (nodes: Network['nodes'], weightsOf: Network['weights'] = []): Network => ({
  inputs: { x: [1, 4, 6] },
  outputs: ['y'],
  nodes,
  weights: weightsOf,
});

test('batch: reshapes that count on 1 are rewritten, rows merged and parted again', async t => {
  const network = fixed(
    [
      node('Reshape', 'x merge', 'rows'),
      node('MatMul', 'rows w', 'm'),
      node('Reshape', 'm part', 'p'),
      node('Transpose', 'p', 't', { perm: [0, 2, 1] }),
      node('Reshape', 't flat', 'y'),
    ],
    [weights('w', [6, 6]), integers('merge', [4, 6]), integers('part', [1, 4, 6]), integers('flat', [1, -1])],
  );
  const model = modelOf(network);
  const freed = freeBatch(model);
  const feeds = { x: wave([BATCH, 4, 6]) };
  const together = await runModel(freed, feeds);
  t.deepEqual(together['y']!.dims, [BATCH, 24]);
  for (let i = 0; i < BATCH; i++) t.true(difference(await runModel(model, entry(feeds, i)), entry(together, i)) < 1e-6);
  t.deepEqual(cutsOf(model).cuts, [], 'cuts need a free batch');
  // "rows" and "m" have several entries for each input.
  t.is(cutsOf(freed).cuts.length, 3);
});

test('batch: refused with the node that needs the 1', t => {
  const refusals: readonly (readonly [Network, RegExp])[] = [
    [fixed([node('Gather', 'x i', 'y', { axis: 0 })], [integers('i', [0])]), /node "y" \(Gather\): can't be shown/],
    [
      fixed([node('Concat', 'token x', 'y', { axis: 1 })], [floats('token', [1, 1, 6], Array(6).fill(1))]),
      /\(Concat\)/,
    ],
    [fixed([node('Transpose', 'x', 'y', { perm: [1, 0, 2] })]), /output "y": has its batch not in front: \[4,N,6\]/],
    [fixed([node('Softmax', 'x', 's', { axis: 0 }), node('Relu', 's', 'y')]), /node "s" \(Softmax\)/],
    [fixed([node('ReduceSum', 'x', 'y', { keepdims: 0 })]), /\(ReduceSum\)/],
    [fixed([node('Identity', 'w', 'y')], [weights('w', [2])]), /output "y": has no entry for each input/],
    [{ ...fixed([node('Relu', 'x', 'y')]), inputs: { x: [4, 2] } }, /input "x": is made for a batch of exactly 4/],
    [{ ...fixed([node('Relu', 'x', 'y')]), inputs: { x: [] } }, /input "x": has no axis/],
  ];
  for (const [network, message] of refusals)
    t.throws(() => freeBatch(modelOf(network)), { instanceOf: GraphError, message });
});

test('batch: an answer that depends on how many are in the batch is refused', t => {
  const model = modelOf({
    inputs: { x: ['N', 4] },
    outputs: ['y'],
    nodes: [
      node('Shape', 'x', 'shape'),
      node('Gather', 'shape zero', 'count', { axis: 0 }),
      node('Cast', 'count', 'c', { to: 1 }),
      node('Div', 'x c', 'y'),
    ],
    weights: [integers('zero', [0])],
  });
  t.throws(() => freeBatch(model), { message: /node "y" \(Div\)/ });
});

const SETTINGS: readonly PictureSettings[] = [
  { kind: 'picture', width: 8, height: 8, fit: 'stretch', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  { kind: 'picture', width: 8, height: 8, fit: 'stretch', color: 'bgr', mean: [0.5], std: [0.5] },
  { kind: 'picture', width: 8, height: 8, fit: 'stretch', scale: 1, mean: [127], std: [128] },
  { kind: 'picture', width: 8, height: 8, fit: 'stretch', layout: 'nhwc', mean: [0.1, 0.2, 0.3] },
];
for (const settings of SETTINGS)
  test(`graft: bytes in front of the graph are preprocessing on the CPU (${JSON.stringify(settings)})`, async t => {
    const { mean, std, scale, layout = 'nchw', color } = settings;
    const dims = layout === 'nchw' ? ['N', 3, 8, 8] : ['N', 8, 8, 3];
    const model = modelOf({ inputs: { x: dims }, outputs: ['y'], nodes: [node('Identity', 'x', 'y')] });
    const grafted = graftInput(model, {
      layout,
      ...(mean && { mean }),
      ...(std && { std }),
      ...(scale && { scale }),
      ...(color === 'bgr' && { order: color }),
    });
    const data = Uint8Array.from({ length: 2 * 8 * 8 * 3 }, (_, i) => (i * 37) % 256);
    const pictures = [0, 1].map(i => ({ width: 8, height: 8, data: data.slice(i * 192, (i + 1) * 192) }));
    const wanted = pictures.flatMap(picture => {
      const { data: bytes } = pictureTensor(settings, picture, 8, 8);
      return Array.from(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
    });
    const { y } = await runModel(grafted, { x: new Tensor('uint8', data, [2, 8, 8, 3]) });
    t.deepEqual(y!.dims, layout === 'nchw' ? [2, 3, 8, 8] : [2, 8, 8, 3]);
    t.true(
      difference({ y: new Tensor('float32', wanted) }, { y: new Tensor('float32', y!.data as Float32Array) }) < 1e-6,
    );
    t.notThrows(() => readModel(writeModel(grafted)));
  });

test('graft: a real reader fed with bytes, and its cuts', async t => {
  const model = realModel('ocr', 'ch_ppocr_mobile_v2.0_cls_infer.onnx');
  const grafted = graftInput(model, { mean: [0.5], std: [0.5], order: 'bgr' });
  const data = Uint8Array.from({ length: 48 * 64 * 3 }, (_, i) => (i * 31) % 251);
  const plane = 48 * 64;
  const normalised = Float32Array.from({ length: 3 * plane }, (_, i) => {
    const channel = Math.floor(i / plane);
    return (data[(i % plane) * 3 + (2 - channel)]! / 255 - 0.5) / 0.5;
  });
  const whole = await runModel(model, { x: new Tensor('float32', normalised, [1, 3, 48, 64]) });
  t.true(difference(whole, await runModel(grafted, { x: new Tensor('uint8', data, [1, 48, 64, 3]) })) < 1e-5);
  t.true(cutsOf(grafted).cuts.length > cutsOf(model).cuts.length);
});

test('graft: refused where it does not fit', t => {
  const picture = modelOf({ ...residual(), inputs: { x: ['N', 2, 8, 8] } });
  t.throws(() => graftInput(picture, { mean: [1, 2, 3] }), {
    instanceOf: GraphError,
    message: /takes 2 channels, mean has 3/,
  });
  t.throws(() => graftInput(picture, { order: 'bgr' }), { message: /bgr, but has 2 channels/ });
  t.throws(() => graftInput(picture, { std: [0] }), { message: /is 0/ });
  t.throws(() => graftInput(picture, { input: 'z' }), { message: /input "z": say which of x/ });
  t.throws(() => graftInput(graftInput(picture, {}), {}), { message: /no float32 picture/ });
  const line = modelOf({ inputs: { x: ['N', 4] }, outputs: ['y'], nodes: [node('Relu', 'x', 'y')] });
  t.throws(() => graftInput(line, {}), { message: /no float32 picture/ });
});
