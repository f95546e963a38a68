import test from 'ava';
import {
  cutsOf,
  GraphError,
  hashesOf,
  joined,
  readModel,
  splitAt,
  writeModel,
  type OnnxModel,
} from '../../gpu-host/graph/index.ts';
import { branching, conditional, floats, modelOf, node, recurrent, residual, weights } from './networks.ts';
import { difference, realModel, runModel, runParts, wave, type Tensors } from './onnx-run.ts';

const NETWORKS: Readonly<Record<string, readonly [OnnxModel, Tensors]>> = {
  residual: [modelOf(residual()), { x: wave([3, 2, 8, 8]) }],
  branching: [modelOf(branching), { x: wave([2, 4, 6, 6]) }],
  recurrent: [modelOf(recurrent), { x: wave([3, 5, 3]) }],
  'control flow': [modelOf(conditional()), { x: wave([3, 4]) }],
};

for (const [name, [model, feeds]] of Object.entries(NETWORKS))
  test(`split: prefix and suffix are the whole at every cut (${name})`, async t => {
    const whole = await runModel(model, feeds);
    const { cuts } = cutsOf(model);
    t.true(cuts.length >= 2);
    for (const cut of cuts) {
      const apart = difference(whole, await runParts(model, cut, feeds));
      t.true(cut.exact ? apart === 0 : apart < 1e-5, `${apart} at ${cut.hash}`);
      const parts = splitAt(model, cut);
      t.notThrows(() => [parts.prefix, parts.suffix].forEach(part => readModel(writeModel(part))));
      t.true(difference(whole, await runModel(joined(parts), feeds)) < 1e-5, 'joined again');
    }
  });

test('split: a body that reads tensors from before the cut goes into the suffix, or as a whole into the prefix', async t => {
  const [model, feeds] = NETWORKS['control flow']!;
  // No rule says that If and Loop keep rows apart, and this If doesn't: cuts end above it. Places can be named all the same.
  const { cuts, refused } = cutsOf(model);
  t.true(refused.some(({ tensor, reason }) => tensor === 'c' && /depend on one input/.test(reason)));
  t.deepEqual(
    cuts.at(-1)!.tensors.map(({ hash }) => hash),
    [hashesOf(model).values.get('b')],
  );
  const at = (name: string) => ({ tensors: [{ hash: hashesOf(model).values.get(name)! }] });
  t.throws(() => splitAt(model, at('d')), { message: /"d": has no known element type/ });
  const place = at('y');
  const whole = await runModel(model, feeds);
  t.is(difference(whole, await runParts(model, place, feeds)), 0);
  const operators = splitAt(model, place).prefix.proto.graph!.node.map(({ opType }) => opType);
  t.true(operators.includes('If') && operators.includes('Loop'));
});

test('split: a tensor beyond those that cross is given by the prefix and left by the suffix', async t => {
  const [model, feeds] = NETWORKS['residual']!;
  const hash = (name: string) => ({ hash: hashesOf(model).values.get(name)! });
  const { prefix, suffix } = splitAt(model, { tensors: [hash('r3'), hash('r1')] });
  t.is(prefix.proto.graph!.output.length, 2);
  t.is(suffix.proto.graph!.input.length, 1);
  t.true(
    difference(await runModel(model, feeds), await runParts(model, { tensors: [hash('r3'), hash('r1')] }, feeds)) <
      1e-5,
  );
  const error = t.throws(() => splitAt(model, { tensors: [hash('c2')] }), { instanceOf: GraphError });
  t.regex(error.message, /"r1": crosses the cut too/);
  t.throws(() => splitAt(model, { tensors: [{ hash: 'f00' }] }), { message: /not in this graph/ });
  t.throws(() => splitAt(model, { tensors: [] }), { message: /no tensor/ });
});

test('split: what is random is in no prefix', t => {
  const model = modelOf({
    inputs: { x: ['N', 4] },
    outputs: ['y'],
    nodes: [node('RandomNormalLike', 'x', 'noise'), node('Add', 'x noise', 'z'), node('Relu', 'z', 'y')],
  });
  const { cuts, refused } = cutsOf(model);
  t.deepEqual(cuts, []);
  t.true(refused.length > 0);
  const place = { tensors: [{ hash: hashesOf(model).values.get('z')! }] };
  t.throws(() => splitAt(model, place), { message: /RandomNormalLike.*random/ });
});

test('cuts: where rows are mixed or the batch is not in front there is no cut', t => {
  const reasons = (nodes: readonly ReturnType<typeof node>[]) => {
    const { cuts, refused } = cutsOf(
      modelOf({ inputs: { x: ['N', 4, 4] }, outputs: ['y'], nodes, weights: [weights('w', [4, 4])] }),
    );
    return [cuts.length, ...refused.map(({ reason }) => reason)];
  };
  const mixed = "it can't be shown that its entries depend on one input each";
  t.deepEqual(reasons([node('ReduceMean', 'x', 'm', { axes: [0] }), node('Sub', 'x m', 'y')]), [0, mixed, mixed]);
  t.deepEqual(reasons([node('Softmax', 'x', 'y', { axis: 0 })]), [0, mixed]);
  t.deepEqual(reasons([node('CumSum', 'x x', 'y')]), [0, mixed]);
  t.regex(
    String(reasons([node('Transpose', 'x', 'y', { perm: [1, 0, 2] })])[1]),
    /first axis isn't the batch: \[4,N,4\]/,
  );
  t.deepEqual(
    reasons([node('Transpose', 'x', 't', { perm: [1, 0, 2] }), node('Add', 'x t', 'y')])[0],
    0,
    'rows against columns',
  );
  t.deepEqual(reasons([node('MatMul', 'x w', 'y')])[0], 1);
});

test('cuts: figures of a network that can be counted by hand', t => {
  const model = modelOf({
    inputs: { x: ['N', 2, 4, 4] },
    outputs: ['y'],
    weights: [weights('w', [3, 2, 3, 3]), weights('d', [3, 5]), floats('b', [5], [1, 2, 3, 4, 5])],
    nodes: [
      node('Conv', 'x w', 'c'),
      node('MaxPool', 'c', 'p', { kernel_shape: [2, 2] }),
      node('Flatten', 'p', 'f'),
      node('Gemm', 'f d b', 'y'),
    ],
  });
  const { cuts } = cutsOf(model);
  t.like(cuts[0], {
    tensors: [{ type: 'float32', dims: ['N', 3, 2, 2], bytesPerInput: 48 }],
    // 12 elements of 18 products each, and their writing.
    prefix: { nodes: 1, parameters: 54, parameterBytes: 216, cost: 12 * 19 },
    suffix: { nodes: 3, parameters: 20, parameterBytes: 80, cost: 3 + 3 + 5 * 4 },
    costKnown: true,
  });
});

test('cuts: between operators that onnxruntime fuses they are marked', t => {
  const model = realModel('ocr', 'ch_PP-OCRv4_rec_infer.onnx');
  const { cuts } = cutsOf(model);
  const inside = cuts.filter(({ insideFusion }) => insideFusion);
  t.true(inside.length > 20 && inside.length < cuts.length - 20);
  const gelu = modelOf({
    inputs: { x: ['N', 8] },
    outputs: ['y'],
    weights: [floats('r', [], [Math.SQRT2]), floats('one', [], [1]), floats('half', [], [0.5])],
    nodes: [
      node('Tanh', 'x', 't'),
      node('Div', 't r', 'd'),
      node('Erf', 'd', 'e'),
      node('Add', 'e one', 'a'),
      node('Mul', 't a', 'm'),
      node('Mul', 'm half', 'g'),
      node('Sin', 'g', 'y'),
    ],
  });
  t.deepEqual(
    cutsOf(gelu).cuts.map(({ insideFusion }) => insideFusion),
    [false, true, true, true, true, false, false],
  );
});
