import { T } from '../tensor.ts';
import { broadcastAll, dividedBy, isBatch, times, type Dim } from './dim.ts';
import { axisOf, range, type Call, type Made } from './fact.ts';
import * as layout from './layout.ts';
import * as windows from './windows.ts';

/** Shapes and types of a node's outputs, and whether rows stay apart (`call.mixes`); undefined where the shapes can't be told. */
type Rule = (call: Call) => Made[] | undefined;

const elementwise: Rule = call => [{ dims: call.dims(0) }];
const keepingNumbers: Rule = call => [{ dims: call.dims(0), numbers: call.inputs[0]?.numbers }];

const ARITHMETIC: Readonly<Record<string, (a: Dim, b: Dim) => Dim>> = {
  Add: (a, b) => (typeof a === 'number' && typeof b === 'number' ? a + b : undefined),
  Sub: (a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : undefined),
  Mul: times,
  Div: dividedBy,
};

/** Rows meet only rows of the same input: their batch axes lie at the same place from the right. */
function alignRows(call: Call): void {
  const places = call.inputs.flatMap(fact =>
    fact?.kind === 'rows' && fact.dims ? [fact.dims.length - fact.dims.findIndex(isBatch)] : [],
  );
  if (new Set(places).size > 1) call.mixes = true;
}

/** Numpy's broadcasting over all inputs. */
const broadcasting =
  (type?: number, typeFrom = 0): Rule =>
  call => {
    const shapes = call.inputs.flatMap(fact => (fact ? [fact.dims] : []));
    if (!shapes.every(dims => dims !== undefined)) return undefined;
    alignRows(call);
    const compute = ARITHMETIC[call.node.opType];
    const [a, b] = [call.inputs[0]?.numbers, call.inputs[1]?.numbers];
    const count = Math.max(a?.length ?? 0, b?.length ?? 0);
    const numbers =
      compute && a && b && [a.length, b.length].every(length => length === 1 || length === count)
        ? range(0, count).map(i => compute(a[a.length === 1 ? 0 : i], b[b.length === 1 ? 0 : i]))
        : undefined;
    return [{ dims: broadcastAll(shapes), type: type ?? call.inputs[typeFrom]?.type, numbers }];
  };

const softmax: Rule = call => {
  const x = call.dims(0);
  if (!x) return undefined;
  const axis = axisOf(call.int('axis', call.opset < 13 ? 1 : -1), x.length);
  call.across(0, call.opset < 13 ? range(axis, x.length) : [axis]);
  return [{ dims: x }];
};

const layerNormalization: Rule = call => {
  const x = call.dims(0);
  if (!x) return undefined;
  const axis = axisOf(call.int('axis', -1), x.length);
  call.across(0, range(axis, x.length));
  const statistics = { dims: x.map((dim, at) => (at < axis ? dim : 1)) };
  return [{ dims: x }, statistics, statistics];
};

/** Over channels and space of each input by itself. */
const instanceWise: Rule = call => {
  const x = call.dims(0);
  call.across(0, range(1, x?.length ?? 0));
  return [{ dims: x }];
};

const batchNormalization: Rule = call => {
  if (call.int('training_mode', 0) !== 0 || call.node.output.length > 1) call.mixes = true;
  const x = call.dims(0);
  call.across(0, [1]);
  return [{ dims: x }];
};

const dropout: Rule = call => {
  if (call.inputs[2]) call.mixes = true;
  return [{ dims: call.dims(0) }, { dims: call.dims(0), type: T.BOOL }];
};

const reduce =
  (type?: number): Rule =>
  call => {
    const x = call.dims(0);
    if (!x) return undefined;
    const keep = call.int('keepdims', 1) !== 0;
    const given = type === undefined ? call.list('axes', 1) : [call.int('axis', 0)];
    if (!given && (call.inputs[1] || call.int('noop_with_empty_axes', 0))) return undefined;
    if (given?.some(axis => typeof axis !== 'number')) return undefined;
    const axes = new Set(given?.map(axis => axisOf(axis as number, x.length)) ?? range(0, x.length));
    call.across(0, [...axes]);
    const dims = x.flatMap((dim, axis) => (axes.has(axis) ? (keep ? [1] : []) : [dim]));
    return [{ dims, type }];
  };

const matmul: Rule = call => {
  const [a, b] = [call.dims(0), call.dims(1)];
  if (!a || !b || a.length === 0 || b.length === 0) return undefined;
  call.across(0, [a.length - 1]);
  call.across(1, [b.length === 1 ? 0 : b.length - 2]);
  alignRows(call);
  const dims = broadcastAll([a.slice(0, -2), b.slice(0, -2)]);
  return [{ dims: [...dims, ...(a.length > 1 ? [a.at(-2)] : []), ...(b.length > 1 ? [b.at(-1)] : [])] }];
};

const gemm: Rule = call => {
  const [a, b] = [call.dims(0), call.dims(1)];
  if (a?.length !== 2 || b?.length !== 2) return undefined;
  const [transA, transB] = [call.int('transA', 0), call.int('transB', 0)];
  call.across(0, [transA ? 0 : 1]);
  call.across(1, [transB ? 1 : 0]);
  const rows = a[transA ? 1 : 0];
  const bias = call.inputs[2];
  if (bias?.kind === 'rows' && !(bias.dims?.length === 2 && isBatch(bias.dims[0]) && isBatch(rows))) call.mixes = true;
  return [{ dims: [rows, b[transB ? 0 : 1]] }];
};

const topK: Rule = call => {
  const x = call.dims(0);
  if (!x) return undefined;
  const axis = axisOf(call.int('axis', -1), x.length);
  call.across(0, [axis]);
  const count = call.opset < 10 ? call.int('k', 0) : call.inputs[1]?.numbers?.[0];
  const dims = x.map((dim, at) => (at === axis ? count : dim));
  return [{ dims }, { dims, type: T.INT64 }];
};

const cast: Rule = call => [
  { dims: call.dims(0), type: call.int('to', 0) || undefined, numbers: call.inputs[0]?.numbers },
];

const quantize: Rule = call => [{ dims: call.dims(0), type: call.inputs[2]?.type ?? T.UINT8 }];
const dequantize: Rule = call => [{ dims: call.dims(0), type: call.inputs[1]?.type }];

const all = (rule: Rule, ...operators: readonly string[]): [string, Rule][] => operators.map(name => [name, rule]);

/** Operators of the default domain whose effect on rows is known. Any other mixes them, as far as we know. */
export const RULES: ReadonlyMap<string, Rule> = new Map([
  ...all(
    elementwise,
    ...'Relu LeakyRelu Elu Selu Celu ThresholdedRelu Sigmoid HardSigmoid HardSwish Mish Gelu Swish Softplus Softsign Tanh'.split(
      ' ',
    ),
    ...'Abs Neg Exp Log Sqrt Reciprocal Erf Sign Round Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh'.split(
      ' ',
    ),
    ...'Not BitwiseNot LRN'.split(' '),
  ),
  ...all(keepingNumbers, 'Identity', 'Floor', 'Ceil'),
  ...all(elementwise, 'Clip'),
  ...all(broadcasting(), 'Add', 'Sub', 'Mul', 'Div', 'Pow', 'Mod', 'Max', 'Min', 'Sum', 'Mean', 'PRelu'),
  ...all(broadcasting(T.BOOL), 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'And', 'Or', 'Xor'),
  ...all(broadcasting(undefined, 1), 'Where'),
  ...all(softmax, 'Softmax', 'LogSoftmax', 'Hardmax'),
  ...all(layerNormalization, 'LayerNormalization', 'RMSNormalization'),
  ...all(instanceWise, 'InstanceNormalization', 'GroupNormalization', 'MeanVarianceNormalization'),
  ...all(
    reduce(),
    ...'ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare'.split(
      ' ',
    ),
  ),
  ...all(reduce(T.INT64), 'ArgMax', 'ArgMin'),
  ...all(windows.conv, 'Conv'),
  ...all(windows.convTranspose, 'ConvTranspose'),
  ...all(windows.pool, 'MaxPool', 'AveragePool', 'LpPool'),
  ...all(windows.globalPool, 'GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'),
  ...all(windows.recurrent, 'LSTM', 'GRU', 'RNN'),
  ...all(layout.resize, 'Resize', 'Upsample'),
  ...all(layout.depthToSpace, 'DepthToSpace', 'SpaceToDepth'),
  ['BatchNormalization', batchNormalization],
  ['Dropout', dropout],
  ['MatMul', matmul],
  ['Gemm', gemm],
  ['TopK', topK],
  ['Cast', cast],
  ['QuantizeLinear', quantize],
  ['DequantizeLinear', dequantize],
  ['Reshape', layout.reshape],
  ['Flatten', layout.flatten],
  ['Transpose', layout.transpose],
  ['Squeeze', layout.squeeze],
  ['Unsqueeze', layout.unsqueeze],
  ['Concat', layout.concat],
  ['Split', layout.split],
  ['Slice', layout.slice],
  ['Gather', layout.gather],
  ['Expand', layout.expand],
  ['Tile', layout.tile],
  ['Pad', layout.pad],
  ['Shape', layout.shape],
  ['ConstantOfShape', layout.constantOfShape],
]);
