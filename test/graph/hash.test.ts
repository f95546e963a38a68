import { toBinary } from '@bufbuild/protobuf';
import {
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProtoSchema,
  StringStringEntryProtoSchema,
} from 'onnx-buf';
import { clone, create } from '@bufbuild/protobuf';
import test from 'ava';
import fc from 'fast-check';
import { cutsOf, hashesOf, readModel, splitAt, writeModel, type OnnxModel } from '../../gpu-host/graph/index.ts';
import {
  branching,
  conditional,
  fileOf,
  floats,
  modelOf,
  node,
  recurrent,
  residual,
  weights,
  type Network,
} from './networks.ts';

const NETWORKS: readonly Network[] = [residual(), branching, recurrent, conditional()];

/** Hashes of the outputs: they cover all that is upstream. */
const outputs = (model: OnnxModel): (string | undefined)[] =>
  model.proto.graph!.output.map(({ name }) => hashesOf(model).values.get(name));

type Proto = OnnxModel['proto'];
type Graph = NonNullable<Proto['graph']>;
const edited = (network: Network, edit: (proto: Proto) => void): OnnxModel => {
  const { proto } = readModel(fileOf(network));
  const copy = clone(ModelProtoSchema, proto);
  edit(copy);
  return readModel(toBinary(ModelProtoSchema, copy));
};

/** Every name in a graph and its bodies with `suffix` behind it, nodes and initialisers as `order` has them. */
function disguise(graph: Graph, suffix: string, order: (items: unknown[]) => void): void {
  const renamed = (name: string): string => (name === '' ? '' : `${name}${suffix}`);
  const named = [...graph.input, ...graph.output, ...graph.initializer, ...graph.valueInfo];
  for (const one of named) one.name = renamed(one.name);
  for (const one of graph.node) {
    one.name = `some ${suffix}`;
    one.docString = 'from elsewhere';
    one.input = one.input.map(renamed);
    one.output = one.output.map(renamed);
    order(one.attribute);
    for (const { g } of one.attribute) if (g) disguise(g, suffix, order);
  }
  order(graph.node);
  order(graph.initializer);
  for (const { type } of graph.input)
    if (type?.value.case === 'tensorType')
      for (const { value } of type.value.value.shape?.dim ?? []) if (value.case === 'dimParam') value.value += suffix;
}

test('hash: names, order of nodes, attributes and initialisers, names of symbolic sizes do not count', t => {
  const search = () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...NETWORKS),
        fc.string({ minLength: 1, maxLength: 4 }),
        fc.infiniteStream(fc.nat(1000)),
        (network, suffix, picks) => {
          const shuffle = (items: unknown[]): void => {
            for (let i = items.length - 1; i > 0; i--) {
              const j = (picks.next().value as number) % (i + 1);
              [items[i], items[j]] = [items[j], items[i]];
            }
          };
          const plain = modelOf(network);
          const disguised = edited(network, ({ graph }) => disguise(graph!, suffix, shuffle));
          const [a, b] = [plain, disguised].map(model => cutsOf(model).cuts);
          return (
            String(outputs(plain)) === String(outputs(disguised)) &&
            JSON.stringify(a) === JSON.stringify(b) &&
            a!.every(cut =>
              Buffer.from(writeModel(splitAt(plain, cut).prefix)).equals(writeModel(splitAt(disguised, cut).prefix)),
            )
          );
        },
      ),
      { numRuns: 40 },
    );
  t.notThrows(search);
});

test('hash: Constant nodes, inputs of old IRs, typed fields and side files are the same weights', t => {
  const network = residual();
  const plain = outputs(modelOf(network));
  const constants = edited(network, ({ graph }) => {
    for (const tensor of graph!.initializer.splice(0)) {
      const { name } = tensor;
      tensor.name = 'anything';
      graph!.node.unshift(node('Constant', '', name, { value: tensor }));
    }
  });
  t.deepEqual(outputs(constants), plain);
  const old = edited(network, proto => {
    proto.irVersion = 3n;
    const { graph } = proto;
    for (const tensor of graph!.initializer)
      graph!.input.unshift(
        modelOf({ inputs: { [tensor.name]: tensor.dims.map(Number) }, outputs: [tensor.name], nodes: [] }).proto.graph!
          .input[0]!,
      );
  });
  t.deepEqual(outputs(old), plain);
  const typed = edited(network, ({ graph }) => {
    for (const tensor of graph!.initializer) {
      tensor.floatData = Array.from(new Float32Array(Uint8Array.from(tensor.rawData).buffer));
      tensor.rawData = new Uint8Array(0);
    }
  });
  t.deepEqual(outputs(typed), plain);

  const { proto } = modelOf(network);
  const copy = clone(ModelProtoSchema, proto);
  const side: Uint8Array[] = [new Uint8Array(7)];
  let offset = 7;
  for (const tensor of copy.graph!.initializer) {
    const entry = (key: string, value: string) => create(StringStringEntryProtoSchema, { key, value });
    tensor.externalData = [
      entry('location', 'parts/weights.bin'),
      entry('offset', String(offset)),
      entry('length', String(tensor.rawData.length)),
    ];
    tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
    side.push(tensor.rawData);
    offset += tensor.rawData.length;
    tensor.rawData = new Uint8Array(0);
  }
  const asked: string[] = [];
  const external = readModel(toBinary(ModelProtoSchema, copy), {
    readExternal: location => {
      asked.push(location);
      return Buffer.concat(side);
    },
  });
  t.deepEqual(outputs(external), plain);
  t.deepEqual(asked, ['parts/weights.bin']);
  const cut = cutsOf(external).cuts[3]!;
  t.true(
    Buffer.from(writeModel(splitAt(external, cut).prefix)).equals(writeModel(splitAt(modelOf(network), cut).prefix)),
  );
  t.notThrows(() => readModel(writeModel(splitAt(external, cut).suffix)), 'a part holds its weights itself');
});

test('hash: 16-bit weights are the same raw and in int32_data', t => {
  const tensor = (fields: object) =>
    create(TensorProtoSchema, { name: 'w', dataType: TensorProto_DataType.FLOAT16, dims: [2n], ...fields });
  const model = (fields: object) =>
    modelOf({ inputs: { x: ['N', 2] }, outputs: ['y'], weights: [tensor(fields)], nodes: [node('Add', 'x w', 'y')] });
  t.deepEqual(
    outputs(model({ int32Data: [0x3c00, 0x4000] })),
    outputs(model({ rawData: Uint8Array.of(0, 0x3c, 0, 0x40) })),
  );
});

test('hash: any bit of any weight counts', t => {
  const networks = [residual(), branching, recurrent];
  const search = () =>
    fc.assert(
      fc.property(fc.constantFrom(...networks), fc.nat(), fc.nat(), fc.nat(7), (network, which, where, bit) => {
        const plain = modelOf(network);
        const changed = edited(network, ({ graph }) => {
          const tensors = graph!.initializer.filter(({ dataType }) => dataType === 1);
          const { rawData } = tensors[which % tensors.length]!;
          rawData[where % rawData.length]! ^= 1 << bit;
        });
        return outputs(plain).some((hash, i) => hash !== outputs(changed)[i]);
      }),
      { numRuns: 60 },
    );
  t.notThrows(search);
});

test('hash: operator, domain, opset, attributes, wiring, types, shapes of inputs count', t => {
  const plain = outputs(modelOf(residual()))[0];
  const nodeAt = (proto: Proto, i: number) => proto.graph!.node[i]!;
  const changes: Record<string, (proto: Proto) => void> = {
    operator: proto => (nodeAt(proto, 2).opType = 'Sigmoid'),
    'an attribute': proto => (nodeAt(proto, 0).attribute[0]!.ints[0] = 0n),
    'one more attribute': proto =>
      nodeAt(proto, 10).attribute.push(...node('Gemm', 'a', 'b', { alpha: { float: 2 } }).attribute),
    wiring: proto => (nodeAt(proto, 6).input[1] = 'c2'),
    'order of inputs': proto => (nodeAt(proto, 6).input = nodeAt(proto, 6).input.toReversed()),
    opset: proto => (proto.opsetImport[0]!.version = 16n),
    'shape of a weight': proto => (proto.graph!.initializer[1]!.dims = [1n, 4n]),
    'type of the input': proto => ((proto.graph!.input[0]!.type!.value.value as { elemType: number }).elemType = 10),
    domain: proto => {
      nodeAt(proto, 2).domain = 'com.example';
      proto.opsetImport.push({ ...proto.opsetImport[0]!, domain: 'com.example' });
    },
  };
  for (const [what, change] of Object.entries(changes)) t.not(outputs(edited(residual(), change))[0], plain, what);
  const fixed: Network = { ...residual(), inputs: { x: [1, 2, 8, 8] } };
  t.not(outputs(modelOf(fixed))[0], plain, 'a fixed batch');
  t.not(outputs(modelOf(conditional()))[0], outputs(modelOf(conditional(true)))[0]);
  const body = edited(conditional(), proto => {
    const branch = nodeAt(proto, 4).attribute.find(({ name }) => name === 'else_branch')!.g!;
    branch.node[0]!.opType = 'Abs';
  });
  t.not(outputs(body)[0], outputs(modelOf(conditional()))[0], 'an operator in a branch');
  const captured = edited(conditional(), proto => {
    const branch = nodeAt(proto, 4).attribute.find(({ name }) => name === 'else_branch')!.g!;
    branch.node[0]!.input[0] = 'a';
  });
  t.not(outputs(captured)[0], outputs(modelOf(conditional()))[0], 'what a branch takes from outside');
});

test('hash: which output of a node is read counts, and which of two inputs', t => {
  const split = (which: string): Network => ({
    inputs: { x: ['N', 4], z: ['N', 4] },
    outputs: ['y'],
    nodes: [node('Split', which[0] === 'x' ? 'x' : 'z', 'a b', { axis: 1 }), node('Relu', which[1]!, 'y')],
  });
  const hashes = ['xa', 'xb', 'za', 'zb'].map(which => outputs(modelOf(split(which)))[0]);
  t.is(new Set(hashes).size, 4);
});

test('hash: a weight of another shape or type with the same bytes is another', t => {
  const hash = (tensor: ReturnType<typeof floats>) =>
    outputs(
      modelOf({ inputs: { x: ['N', 4] }, outputs: ['y'], weights: [tensor], nodes: [node('Add', 'x w', 'y')] }),
    )[0];
  const zeros = floats('w', [4], [0, 0, 0, 0]);
  const asInts = clone(TensorProtoSchema, zeros);
  asInts.dataType = TensorProto_DataType.INT32;
  t.is(new Set([hash(zeros), hash(asInts), hash(floats('w', [1, 4], [0, 0, 0, 0])), hash(weights('w', [4]))]).size, 4);
});

test('hash: optional inputs and outputs left out at the end are the same as empty ones', t => {
  const network = (inputs: string): Network => ({
    inputs: { x: ['N', 4] },
    outputs: ['y'],
    nodes: [node('Clip', inputs, 'c'), node('Relu', 'c', 'y')],
  });
  const models = ['x', 'x _', 'x _ _'].map(inputs => modelOf(network(inputs)));
  t.is(new Set(models.map(model => outputs(model)[0])).size, 1);
  const prefixes = models.map(model => Buffer.from(writeModel(splitAt(model, cutsOf(model).cuts[0]!).prefix)));
  t.true(prefixes.every(prefix => prefix.equals(prefixes[0]!)));
});
