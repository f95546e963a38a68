import test from 'ava';
import { cutsOf, GraphError, hashesOf, readModel, splitAt, writeModel } from '../../gpu-host/graph/index.ts';
import { difference, realFile, realModel, runModel, runParts, wave } from './onnx-run.ts';

const MODELS = [
  ['ocr', 'ch_PP-OCRv4_det_infer.onnx', [2, 3, 64, 64]],
  ['ocr', 'ch_PP-OCRv4_rec_infer.onnx', [2, 3, 48, 64]],
  ['ocr', 'ch_ppocr_mobile_v2.0_cls_infer.onnx', [2, 3, 48, 64]],
  ['face', 'fr_eye.onnx', [1, 1, 24, 24]],
  ['face', 'fr_landmark.onnx', [1, 1, 64, 64]],
  ['face', 'fr_detect.onnx', [1, 3, 240, 320]],
  ['face', 'fr_age.onnx', [1, 3, 64, 64]],
  ['face', 'fr_liveness.onnx', [1, 3, 128, 128]],
] as const;
const SAMPLES = 5;

for (const [kind, file, dims] of MODELS) {
  test(`graph: ${file} is read and written without loss, and is whole after any cut`, async t => {
    const bytes = realFile(kind, file);
    const model = readModel(bytes, { name: file });
    const { source, ...decoded } = model;
    t.is(source, bytes);
    t.true(Buffer.from(bytes).equals(writeModel(decoded)), 'decoding and encoding changes nothing');

    const { cuts } = cutsOf(model);
    t.true(cuts.length > 10);
    t.deepEqual(
      cuts.map(({ share }) => share),
      cuts.map(({ share }) => share).toSorted((a, b) => a - b),
      'from the inputs downwards',
    );
    const feeds = { [model.proto.graph!.input[0]!.name]: wave(dims) };
    const whole = await runModel(model, feeds);
    for (let i = 0; i < SAMPLES; i++) {
      const cut = cuts[Math.floor(((i + 0.5) / SAMPLES) * cuts.length)]!;
      const apart = difference(whole, await runParts(model, cut, feeds));
      t.true(apart < 1e-5, `${apart} at ${cut.hash}`);
    }
  });
}

test('graph: parts are valid models, read again as they were written', t => {
  const model = realModel('face', 'fr_eye.onnx');
  const { cuts } = cutsOf(model);
  for (const cut of cuts) {
    const { prefix, suffix } = splitAt(model, cut);
    const again = readModel(writeModel(prefix));
    t.deepEqual([...hashesOf(again).values.values()].toSorted(), [...hashesOf(prefix).values.values()].toSorted());
    t.notThrows(() => readModel(writeModel(suffix)));
    t.is(hashesOf(prefix).values.get(prefix.proto.graph!.output[0]!.name), cut.tensors[0]!.hash);
  }
});

test('graph: what is no model is refused', t => {
  t.throws(() => readModel(new Uint8Array()), { instanceOf: GraphError, message: /empty/ });
  t.throws(() => readModel(Buffer.from('not a model at all')), { instanceOf: GraphError });
  const bytes = realFile('face', 'fr_eye.onnx');
  t.throws(() => readModel(bytes.subarray(0, 100_000)), { instanceOf: GraphError, message: /bytes where .* are left/ });
});
