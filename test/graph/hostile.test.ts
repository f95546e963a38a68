import { clone, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataLocation } from 'onnx-buf';
import test from 'ava';
import fc from 'fast-check';
import {
  commonPrefixes,
  cutsOf,
  freeBatch,
  GraphError,
  readModel,
  signatureOf,
  splitAt,
  writeModel,
  type OnnxModel,
} from '../../gpu-host/graph/index.ts';
import { conditional, fileOf, floats, graphOf, node, recurrent, residual, weights, type Network } from './networks.ts';
import { realFile } from './onnx-run.ts';

const simple: Network = { inputs: { x: ['N', 4] }, outputs: ['y'], nodes: [node('Relu', 'x', 'y')] };
const edited = (network: Network, edit: (proto: OnnxModel['proto']) => void): Uint8Array => {
  const { proto } = readModel(fileOf(network));
  const copy = clone(ModelProtoSchema, proto);
  edit(copy);
  return toBinary(ModelProtoSchema, copy);
};
const withWeight = (edit: (tensor: ReturnType<typeof floats>) => void): Uint8Array =>
  edited(residual(), ({ graph }) => edit(graph!.initializer[0]!));

/** A graph in an attribute of a node in a graph …, `depth` messages in all. */
function nested(depth: number): Uint8Array {
  const GRAPH_OF_MODEL = 7;
  const NODE_ATTRIBUTE_GRAPH = [1, 5, 6];
  let bytes = Buffer.alloc(0);
  for (let level = depth; level >= 0; level--) {
    const size: number[] = [];
    for (let rest = bytes.length; ; rest = Math.floor(rest / 128)) {
      size.push(rest < 128 ? rest : (rest % 128) | 128);
      if (rest < 128) break;
    }
    const field = level === 0 ? GRAPH_OF_MODEL : NODE_ATTRIBUTE_GRAPH[(level - 1) % 3]!;
    bytes = Buffer.concat([Buffer.from([field * 8 + 2, ...size]), bytes]);
  }
  return bytes;
}

const entry = (key: string, value: string) => ({ $typeName: 'onnx.StringStringEntryProto' as const, key, value });
const external = (...entries: readonly (readonly [string, string])[]): Uint8Array =>
  withWeight(tensor => {
    tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
    tensor.rawData = new Uint8Array(0);
    tensor.externalData = entries.map(([key, value]) => entry(key, value));
  });

const REFUSED: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  'no bytes': [new Uint8Array(), /file: is empty/],
  'a picture': [Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70]), /no ONNX file|ends inside|number/],
  'no graph': [Buffer.from([8, 8]), /no graph/],
  'three gigabytes claimed': [
    Buffer.from([0x3a, 0x80, 0x80, 0x80, 0x80, 0x0c, 0]),
    /claims 3221225472 bytes where 1 are left/,
  ],
  'a length beyond all numbers': [Buffer.from([0x3a, ...Array<number>(10).fill(0xff), 1]), /more than 10 bytes/],
  'a cycle': [
    fileOf({ ...simple, nodes: [node('Add', 'x b', 'a'), node('Relu', 'a', 'b'), node('Relu', 'b', 'y')] }),
    /cycle/,
  ],
  'a node that reads itself': [fileOf({ ...simple, nodes: [node('Add', 'x y', 'y')] }), /cycle/],
  'a missing input': [
    fileOf({ ...simple, nodes: [node('Add', 'x z', 'y')] }),
    /node "y" \(Add\): reads "z", which nothing makes/,
  ],
  'a missing input of a branch': [
    fileOf({
      ...simple,
      nodes: [
        node('ReduceSum', 'x', 's', { keepdims: 0 }),
        node('Cast', 's', 'c', { to: 9 }),
        node('If', 'c', 'y', {
          then_branch: graphOf({ outputs: ['t'], nodes: [node('Relu', 'gone', 't')] }),
          else_branch: graphOf({ outputs: ['e'], nodes: [node('Neg', 'x', 'e')] }),
        }),
      ],
    }),
    /node "t" \(Relu\): reads "gone"/,
  ],
  'an output that nothing makes': [fileOf({ ...simple, outputs: ['z'] }), /output "z": is made by nothing/],
  'no output': [fileOf({ ...simple, outputs: [] }), /no outputs/],
  'a tensor made twice': [
    fileOf({ ...simple, nodes: [...simple.nodes, node('Neg', 'x', 'y')] }),
    /makes "y", which exists already/,
  ],
  'two initialisers of one name': [
    fileOf({ ...simple, weights: [weights('w', [1]), weights('w', [1])] }),
    /initialiser "w": initialisers need/,
  ],
  'no opset': [edited(simple, proto => (proto.opsetImport = [])), /opset_import: is empty/],
  'an unknown domain': [
    fileOf({ ...simple, nodes: [node('Relu', 'x', 'y', {}, 'org.nowhere')] }),
    /no version of its domain "org.nowhere"/,
  ],
  'no operator': [fileOf({ ...simple, nodes: [node('', 'x', 'y')] }), /names no operator/],
  'too few bytes for the dims': [
    withWeight(tensor => (tensor.dims = [4n, 2n, 3n, 4n])),
    /tensor "w1": has 288 bytes, float32 \[4,2,3,4\] asks for 384/,
  ],
  'negative dims': [withWeight(tensor => (tensor.dims = [-4n, -2n, 3n, 3n])), /negative size/],
  'dims beyond all memory': [withWeight(tensor => (tensor.dims = [2n ** 40n, 2n ** 40n])), /more than any file holds/],
  'an unknown element type': [withWeight(tensor => (tensor.dataType = 99)), /unknown element type 99/],
  'a side file nobody reads': [external(['location', 'w.bin']), /side file "w.bin", and there is no way/],
  'deep nesting': [nested(5000), /nested deeper than/],
  'nesting that ends early': [nested(40).subarray(0, 60), /bytes where/],
};
for (const [what, [bytes, message]] of Object.entries(REFUSED))
  test(`hostile: ${what}`, t => {
    const error = t.throws(() => readModel(bytes, { name: 'm' }), { instanceOf: GraphError, message });
    t.true(error.message.startsWith('model m: ') && error.where.length > 0);
  });

test('hostile: side files outside the folder, missing, too short, sizes that are none', t => {
  const read = (bytes: Uint8Array, readExternal: (location: string) => Uint8Array = () => new Uint8Array(300)) =>
    readModel(bytes, { readExternal });
  for (const location of ['../secret', '/etc/passwd', 'a/../../b', 'C:\\x', '\\\\host\\x', 'a\0b', ''])
    t.throws(
      () => read(external(['location', location])),
      { instanceOf: GraphError, message: /isn't a path below/ },
      location,
    );
  t.throws(
    () =>
      read(external(['location', 'w']), () => {
        throw new Error('gone');
      }),
    { message: /can't be read: gone/ },
  );
  t.throws(() => read(external(['location', 'w'], ['offset', '13'])), {
    message: /bytes 13 to 301 of "w", which has 300/,
  });
  t.throws(() => read(external(['location', 'w'], ['offset', '-1'])), { message: /which is no size/ });
  t.throws(() => read(external(['location', 'w'], ['length', '4'])), { message: /has 4 bytes/ });
  t.notThrows(() => read(external(['location', 'w'], ['offset', '12'])));
});

test('hostile: many tiny messages do not fill the memory', t => {
  // 0x0a 0x00: an empty node, two bytes in the file, some hundred in memory.
  const nodes = Buffer.alloc(20_000_000, Buffer.from([0x0a, 0x00]));
  const size = [
    0x80 | (nodes.length & 127),
    0x80 | ((nodes.length >> 7) & 127),
    0x80 | ((nodes.length >> 14) & 127),
    nodes.length >> 21,
  ];
  t.throws(() => readModel(Buffer.concat([Buffer.from([0x3a, ...size]), nodes])), {
    instanceOf: GraphError,
    message: /decoding takes more than/,
  });
});

test('hostile: a chain of 30,000 nodes is no recursion', t => {
  const nodes = Array.from({ length: 30_000 }, (_, i) => node('Relu', `t${i}`, `t${i + 1}`));
  const model = readModel(fileOf({ inputs: { t0: ['N', 1] }, outputs: ['t30000'], nodes }));
  t.throws(() => cutsOf(model), { instanceOf: GraphError, message: /more than 10000 nodes/ });
});

/** All that a host does with a file. Throws nothing but GraphError. */
function everything(bytes: Uint8Array): boolean {
  try {
    const model = readModel(bytes);
    const { cuts } = cutsOf(model);
    for (const cut of cuts.slice(0, 2)) {
      const { prefix, suffix } = splitAt(model, cut);
      writeModel(prefix);
      writeModel(suffix);
    }
    commonPrefixes([signatureOf('a', model), signatureOf('b', model)]);
    freeBatch(model);
    return true;
  } catch (error) {
    if (error instanceof GraphError) return false;
    throw error;
  }
}

test('hostile: damaged files give an answer or a GraphError', t => {
  const files = [fileOf(residual()), fileOf(recurrent), fileOf(conditional()), realFile('face', 'fr_eye.onnx')];
  const damage = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    to: fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0x80, 0xff)),
    // Weights are most of a file: half of the damage goes where the structure is.
    early: fc.boolean(),
  });
  const search = () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.array(damage, { minLength: 1, maxLength: 4 }),
        fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
        (file, damages, end) => {
          const bytes = Uint8Array.from(file);
          for (const { at, to, early } of damages)
            bytes[Math.floor(at * (early ? Math.min(3000, bytes.length - 1) : bytes.length - 1))] = to;
          everything(end === null ? bytes : bytes.subarray(0, Math.floor(end * bytes.length)));
          return true;
        },
      ),
      { numRuns: 300 },
    );
  t.notThrows(search);
  t.true(everything(files[0]!), 'what is whole passes');
});
