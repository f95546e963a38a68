import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as A,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProto_DataType,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { readModel, type OnnxModel } from '../../gpu-host/graph/index.ts';

const T: Readonly<Record<keyof typeof TensorProto_DataType, number>> = TensorProto_DataType;
type Dims = readonly (number | string)[];

export const floats = (name: string, dims: readonly number[], values: readonly number[]): TensorProto =>
  create(TensorProtoSchema, {
    name,
    dataType: T.FLOAT,
    dims: dims.map(BigInt),
    rawData: new Uint8Array(Float32Array.from(values).buffer),
  });
export const integers = (name: string, values: readonly number[]): TensorProto =>
  create(TensorProtoSchema, {
    name,
    dataType: T.INT64,
    dims: [BigInt(values.length)],
    rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
  });
/** Small weights, always the same for the same seed. */
export function weights(name: string, dims: readonly number[], seed = 1): TensorProto {
  const count = dims.reduce((a, b) => a * b, 1);
  return floats(
    name,
    dims,
    Array.from({ length: count }, (_, i) => Math.sin((i + 1) * (seed + 0.37)) / Math.sqrt(count / dims[0]!)),
  );
}

type Attribute = number | readonly number[] | string | TensorProto | GraphProto | { readonly float: number };
function attribute(name: string, value: Attribute): AttributeProto {
  const content = ((): object => {
    if (typeof value === 'number') return { type: A.INT, i: BigInt(value) };
    if (typeof value === 'string') return { type: A.STRING, s: Uint8Array.from(Buffer.from(value)) };
    if (Array.isArray(value)) return { type: A.INTS, ints: value.map(BigInt) };
    if ('float' in value) return { type: A.FLOAT, f: value.float };
    return '$typeName' in value && value.$typeName === 'onnx.GraphProto'
      ? { type: A.GRAPH, g: value }
      : { type: A.TENSOR, t: value };
  })();
  return create(AttributeProtoSchema, { name, ...content });
}

/** `node('Conv', 'x w', 'y', {pads: [1,1,1,1]})`; `_` is an optional input left out. */
export const node = (
  opType: string,
  input: string,
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
  domain = '',
): NodeProto =>
  create(NodeProtoSchema, {
    opType,
    domain,
    input: input
      .split(' ')
      .filter(Boolean)
      .map(name => (name === '_' ? '' : name)),
    output: output.split(' '),
    attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  });

const value = (name: string, dims?: Dims, elemType = T.FLOAT): ValueInfoProto =>
  create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, {
      value: {
        case: 'tensorType',
        value: create(TypeProto_TensorSchema, {
          elemType,
          ...(dims && {
            shape: create(TensorShapeProtoSchema, {
              dim: dims.map(dim =>
                create(TensorShapeProto_DimensionSchema, {
                  value:
                    typeof dim === 'number'
                      ? { case: 'dimValue', value: BigInt(dim) }
                      : { case: 'dimParam', value: dim },
                }),
              ),
            }),
          }),
        }),
      },
    }),
  });

export interface Network {
  readonly inputs?: Readonly<Record<string, Dims>>;
  readonly outputs: readonly string[];
  readonly nodes: readonly NodeProto[];
  readonly weights?: readonly TensorProto[];
  readonly opset?: number;
  readonly ir?: number;
}

/** A body's inputs and outputs need no shapes. */
export const graphOf = ({ inputs = {}, outputs, nodes, weights = [] }: Network): GraphProto =>
  create(GraphProtoSchema, {
    name: 'g',
    node: [...nodes],
    initializer: [...weights],
    input: Object.entries(inputs).map(([name, dims]) => value(name, dims)),
    output: outputs.map(name => value(name)),
  });

export function fileOf(network: Network): Uint8Array {
  const { opset = 17, ir = 8 } = network;
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: BigInt(ir),
      graph: graphOf(network),
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(opset) })],
    }),
  );
}
export const modelOf = (network: Network, name = 'network'): OnnxModel => readModel(fileOf(network), { name });

const PADS = { pads: [1, 1, 1, 1] };

/** Conv, BatchNorm, Relu, a residual block, pooling, a classifier. `head` and `classes` differ between members of a family. */
export const residual = (head = 1, classes = 3): Network => ({
  inputs: { x: ['N', 2, 8, 8] },
  outputs: ['y'],
  weights: [
    weights('w1', [4, 2, 3, 3]),
    weights('gamma', [4], 2),
    weights('beta', [4], 3),
    weights('mean', [4], 4),
    floats('var', [4], [1, 0.5, 2, 1]),
    weights('w2', [4, 4, 3, 3], 5),
    weights('w3', [4, 4, 3, 3], 6),
    weights('w4', [4, classes], 6 + head),
    weights('b4', [classes], 7 + head),
  ],
  nodes: [
    node('Conv', 'x w1', 'c1', PADS),
    node('BatchNormalization', 'c1 gamma beta mean var', 'n1'),
    node('Relu', 'n1', 'r1'),
    node('Conv', 'r1 w2', 'c2', PADS),
    node('Relu', 'c2', 'r2'),
    node('Conv', 'r2 w3', 'c3', PADS),
    node('Add', 'c3 r1', 's'),
    node('Relu', 's', 'r3'),
    node('GlobalAveragePool', 'r3', 'p'),
    node('Flatten', 'p', 'f'),
    node('Gemm', 'f w4 b4', 'y'),
  ],
});

/** Three branches that meet, two of them equal, and two outputs; one weight is used twice. */
export const branching: Network = {
  inputs: { x: ['N', 4, 6, 6] },
  outputs: ['y', 'aside'],
  weights: [weights('w', [4, 4, 1, 1]), weights('v', [4, 4, 3, 3], 2)],
  nodes: [
    node('Conv', 'x w', 'a'),
    node('Relu', 'a', 'left'),
    node('Conv', 'x w', 'a2'),
    node('Relu', 'a2', 'twin'),
    node('Conv', 'x v', 'right', PADS),
    node('Concat', 'left twin right', 'all', { axis: 1 }),
    node('Sigmoid', 'right', 'aside'),
    node('Split', 'all', 's1 s2 s3', { axis: 1 }),
    node('Conv', 's2 w', 'z'),
    node('Max', 'z s1 s3', 'm'),
    node('Tanh', 'm', 'y'),
  ],
};

/** [N,T,I] → an LSTM over time → a classifier for each step. Batch in front outside, second inside. */
export const recurrent: Network = {
  inputs: { x: ['N', 5, 3] },
  outputs: ['y'],
  weights: [
    weights('w', [1, 16, 3]),
    weights('r', [1, 16, 4], 2),
    weights('b', [1, 32], 3),
    weights('c', [4, 6], 4),
    integers('axis', [1]),
  ],
  nodes: [
    node('Transpose', 'x', 't', { perm: [1, 0, 2] }),
    node('LSTM', 't w r b', 'h', { hidden_size: 4 }),
    node('Squeeze', 'h axis', 'q'),
    node('Transpose', 'q', 'u', { perm: [1, 0, 2] }),
    node('MatMul', 'u c', 'l'),
    node('Softmax', 'l', 'y', { axis: -1 }),
  ],
};

/** An If whose branches take tensors from outside, a Loop that carries one, in front of a layer. */
export const conditional = (negated = false): Network => ({
  inputs: { x: ['N', 4] },
  outputs: ['y'],
  weights: [weights('w', [4, 4]), weights('k', [4, 4], 2), floats('zero', [], [0]), weights('end', [4, 2], 3)],
  nodes: [
    node('MatMul', 'x w', 'a'),
    node('Relu', 'a', 'b'),
    node('ReduceSum', 'b', 'total', { keepdims: 0 }),
    node(negated ? 'Less' : 'Greater', 'total zero', 'cond'),
    node('If', 'cond', 'c', {
      then_branch: graphOf({
        outputs: ['then'],
        weights: [weights('bias', [4], 9)],
        nodes: [node('MatMul', 'b k', 'inner'), node('Add', 'inner bias', 'then')],
      }),
      else_branch: graphOf({ outputs: ['else'], nodes: [node('Neg', 'b', 'else')] }),
    }),
    node('Constant', '', 'trips', { value: create(TensorProtoSchema, { dataType: T.INT64, int64Data: [2n] }) }),
    node('Loop', 'trips _ c', 'd', {
      body: create(GraphProtoSchema, {
        name: 'body',
        input: [value('i', [], T.INT64), value('go', [], T.BOOL), value('carried')],
        output: [value('on', [], T.BOOL), value('next')],
        node: [node('Identity', 'go', 'on'), node('MatMul', 'carried k', 'm'), node('Add', 'm b', 'next')],
      }),
    }),
    node('MatMul', 'd end', 'y'),
  ],
});
