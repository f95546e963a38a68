import { create } from '@bufbuild/protobuf';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { realClock } from '../../bus/index.ts';
import { cutsOf, readModel, signatureOf, splitAt, writeModel } from '../../gpu-host/graph/index.ts';

const LAYERS = 100;
const WIDTH = 512;

/** What it takes to read a graph of 100 layers and about 100 MB, hash it and find its cuts, and to write both parts, ms. */
export function surgery(): { megabytes: number; studyMs: number; splitMs: number } {
  const file = largeModel();
  const startMs = realClock.nowMs();
  const model = readModel(file, { name: 'large' });
  signatureOf('large', model);
  const { cuts } = cutsOf(model);
  const studiedMs = realClock.nowMs();
  const { prefix, suffix } = splitAt(model, cuts[cuts.length >> 1]!);
  writeModel(prefix);
  writeModel(suffix);
  return { megabytes: file.byteLength / 1e6, studyMs: studiedMs - startMs, splitMs: realClock.nowMs() - studiedMs };
}

function largeModel(): Uint8Array {
  const float = TensorProto_DataType.FLOAT;
  const layers = Array.from({ length: LAYERS }, (_, i) => i);
  const dims = [
    { value: { case: 'dimParam', value: 'N' } as const },
    { value: { case: 'dimValue', value: BigInt(WIDTH) } as const },
  ];
  const info = (name: string) =>
    create(ValueInfoProtoSchema, {
      name,
      type: { value: { case: 'tensorType', value: { elemType: float, shape: { dim: dims } } } },
    });
  const graph = create(GraphProtoSchema, {
    name: 'large',
    input: [info('x0')],
    output: [info(`x${LAYERS}`)],
    initializer: layers.map(i =>
      create(TensorProtoSchema, {
        name: `w${i}`,
        dataType: float,
        dims: [BigInt(WIDTH), BigInt(WIDTH)],
        rawData: new Uint8Array(
          Float32Array.from({ length: WIDTH * WIDTH }, (_, k) => ((k * 31 + i) % 97) / 97).buffer,
        ),
      }),
    ),
    node: layers.flatMap(i => [
      create(NodeProtoSchema, { opType: 'MatMul', input: [`x${i}`, `w${i}`], output: [`m${i}`] }),
      create(NodeProtoSchema, { opType: 'Relu', input: [`m${i}`], output: [`x${i + 1}`] }),
    ]),
  });
  const proto = create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ domain: '', version: 17n }], graph });
  return writeModel({ name: 'large', proto, external: new Map() });
}
