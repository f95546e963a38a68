import test from 'ava';
import fc from 'fast-check';
import { restrictGraph } from '../../gpu-host/edit/restrict.ts';
import { changed } from '../../gpu-host/edit/index.ts';
import type { OnnxModel } from '../../gpu-host/graph/index.ts';
import { modelOf, node, weights, type Network } from '../graph/networks.ts';
import { runModel, wave } from '../graph/onnx-run.ts';

const CLASSES = 9;
const INNER = 6;
const inputs = { x: ['N', INNER] } as const;
const w = weights('w', [INNER, CLASSES]);
const b = weights('b', [CLASSES], 2);

/** Last layers as exporters write them. */
const LAYERS: Readonly<Record<string, Network>> = {
  'MatMul and Add': {
    inputs,
    outputs: ['y'],
    weights: [w, b],
    nodes: [node('MatMul', 'x w', 'm'), node('Add', 'b m', 'y')],
  },
  'Gemm, transposed': {
    inputs,
    outputs: ['y'],
    weights: [weights('w', [CLASSES, INNER]), b],
    nodes: [node('Gemm', 'x w b', 'y', { transB: 1 })],
  },
  'Gemm with one bias for all classes, Identity behind': {
    inputs,
    outputs: ['y'],
    weights: [w, weights('b', [1], 2)],
    nodes: [node('Gemm', 'x w b', 'm'), node('Identity', 'm', 'y')],
  },
  'Constant nodes, a bias that is read elsewhere too': {
    inputs,
    outputs: ['y', 'other'],
    nodes: [
      node('Constant', '', 'w', { value: w }),
      node('Constant', '', 'b', { value: b }),
      node('MatMul', 'x w', 'm'),
      node('Add', 'm b', 'y'),
      node('ReduceMean', 'b', 'other', { axes: [0] }),
    ],
  },
  'initialisers that are inputs too (IR 3)': {
    ir: 3,
    inputs: { ...inputs, w: [INNER, CLASSES], b: [CLASSES] },
    outputs: ['y'],
    weights: [w, b],
    nodes: [node('Gemm', 'x w b', 'y')],
  },
};

const cut = (model: OnnxModel, kept: readonly number[], classes = CLASSES, output = 'y'): OnnxModel => {
  const graph = restrictGraph(model.proto.graph!, { model: model.name, output, classes, kept });
  return { name: model.name, external: model.external, proto: changed(model.proto, { graph }) };
};

for (const [name, network] of Object.entries(LAYERS))
  test(`restrict: any classes of a last layer give what they gave, bit for bit (${name})`, async t => {
    const model = modelOf(network);
    const feeds = { x: wave([3, INNER]) };
    const whole = await runModel(model, feeds);
    await fc.assert(
      fc.asyncProperty(fc.subarray([...Array(CLASSES).keys()], { minLength: 2 }), async kept => {
        const few = await runModel(cut(model, kept), feeds);
        t.deepEqual([...few['y']!.dims], [3, kept.length]);
        const [all, some] = [whole['y']!, few['y']!].map(({ data }) => data as Float32Array) as [
          Float32Array,
          Float32Array,
        ];
        for (let row = 0; row < 3; row++)
          kept.forEach((index, at) => t.is(some[row * kept.length + at], all[row * CLASSES + index]));
        if (whole['other']) t.deepEqual(few['other']!.data, whole['other'].data);
      }),
      { numRuns: 12 },
    );
    t.deepEqual(model.proto.graph, modelOf(network).proto.graph, 'the model itself is as it was');
  });

test('restrict: what stands behind the classes and would mix them is refused, by name', t => {
  const refused = (
    expected: RegExp,
    network: Partial<Network>,
    options: { classes?: number; output?: string } = {},
  ): void => {
    const model = modelOf({ inputs, outputs: ['y'], weights: [w, b], nodes: [], ...network });
    t.throws(() => cut(model, [0, 1], options.classes, options.output), { message: expected });
  };
  const layer = node('MatMul', 'x w', 'm');
  refused(/Relu "y" makes them/, { nodes: [layer, node('Relu', 'm', 'y')] });
  refused(/Softmax "y" doesn't run over the last axis alone/, {
    nodes: [layer, node('Softmax', 'm', 'y', { axis: 0 })],
  });
  refused(/MatMul "y" has no constant weights on its right/, {
    inputs: { ...inputs, v: [INNER, CLASSES] },
    nodes: [node('MatMul', 'x v', 'y')],
  });
  refused(/Add "y" adds two tensors that are both reckoned/, {
    nodes: [layer, node('Neg', 'm', 'n'), node('Add', 'm n', 'y')],
  });
  refused(/Relu "z" reads the classes "m" too/, {
    outputs: ['y', 'z'],
    nodes: [layer, node('Add', 'm b', 'y'), node('Relu', 'm', 'z')],
  });
  refused(/gives 9 classes; keys, blank and space make 10/, { nodes: [node('MatMul', 'x w', 'y')] }, { classes: 10 });
  refused(/no node makes "none"/, { nodes: [node('MatMul', 'x w', 'y')] }, { output: 'none' });
});
