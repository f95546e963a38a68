import type { OnnxModel } from './model.ts';
import { stepsOf, type Step, type Steps } from './steps.ts';
import { oncePerModel } from './view.ts';

/**
 * Pairs (what a tensor comes from, what reads it) that onnxruntime's optimiser makes one kernel of, on CPU or CUDA (its
 * graph_transformer_utils.cc lists the fusions). A cut between them changes results by rounding.
 */
const PAIRS: Readonly<Record<string, readonly string[]>> = {
  Conv: ['BatchNormalization', 'Add', 'Mul', 'Relu', 'Clip', 'Sigmoid', 'HardSigmoid', 'Tanh', 'LeakyRelu'],
  ConvTranspose: ['BatchNormalization'],
  MatMul: ['Add', 'BatchNormalization', 'Mul', 'Div'],
  Gemm: ['Add', 'Relu', 'Sigmoid', 'Tanh', 'LeakyRelu', 'HardSigmoid', 'Softplus', 'BatchNormalization'],
  Sigmoid: ['Mul'],
  HardSigmoid: ['Mul'],
  Softplus: ['Tanh'],
  Relu: ['Clip'],
  Pad: ['Conv', 'MaxPool', 'AveragePool'],
  Transpose: ['MatMul', 'Gemm', 'Transpose'],
  Add: ['LayerNormalization', 'Gelu'],
};
/** What can stand between a Conv or MatMul and what is fused with it. */
const FOLDED = new Set(['BatchNormalization', 'Add', 'Mul']);
const FOLDED_MAX = 3;

/** Whether the tensor that `from` makes lies inside a kernel that also holds its reader `to`. */
export function isInsideFusion(model: OnnxModel, from: number, to: number): boolean {
  const steps = stepsOf(model);
  if (patternSteps(model).has(from)) return true;
  let at = from;
  for (let i = 0; i <= FOLDED_MAX; i++) {
    const step = steps.all[at]!;
    if (PAIRS[step.node.opType]?.includes(steps.all[to]!.node.opType)) return true;
    const dynamic = step.needs.filter(need => steps.all[need]!.dynamic);
    if (!FOLDED.has(step.node.opType) || dynamic.length !== 1) return false;
    at = dynamic[0]!;
  }
  return false;
}

/**
 * On the CPU onnxruntime keeps pictures in blocks of channels (NCHWc) between convolutions. These compute in another order there than on a tensor
 * that comes from outside, which is laid out plainly.
 */
const LAYOUT_DEPENDENT = new Set(['Add', 'Sum', 'BatchNormalization', 'Concat', 'AveragePool', 'GlobalAveragePool']);
export function dependsOnLayout(model: OnnxModel, step: number): boolean {
  const { all } = stepsOf(model);
  const { node, needs } = all[step]!;
  if (!LAYOUT_DEPENDENT.has(node.opType)) return false;
  return node.opType !== 'Add' || needs.filter(need => all[need]!.dynamic).length > 1;
}

/** Steps of layer normalisations and Gelus written out in single operators, but for the last of each. */
const patternSteps = oncePerModel((model: OnnxModel): ReadonlySet<number> => {
  const steps = stepsOf(model);
  const readers = steps.all.map((): number[] => []);
  steps.all.forEach(({ needs }, i) => {
    for (const need of new Set(needs)) readers[need]!.push(i);
  });
  const inside = new Set<number>();
  steps.all.forEach(({ node }, i) => {
    if (node.opType === 'Sqrt')
      mark(chainUp(steps, i, LAYER_NORM_UP), chainDown(steps, readers, i, ['Div', 'Mul', 'Add']), i);
    if (node.opType === 'Erf')
      mark(chainUp(steps, i, [['Div', 'Mul']]), chainDown(steps, readers, i, ['Add', 'Mul', 'Mul']), i);
  });
  function mark(up: readonly number[], down: readonly number[], middle: number): void {
    if (up.length === 0 || down.length === 0) return;
    for (const step of [...up, middle, ...down.slice(0, -1)]) inside.add(step);
  }
  return inside;
});

const LAYER_NORM_UP: readonly (readonly string[])[] = [
  ['Add'],
  ['ReduceMean'],
  ['Pow', 'Mul'],
  ['Sub'],
  ['ReduceMean'],
];

const isA = (step: Step | undefined, operators: readonly string[]): boolean =>
  step !== undefined && operators.includes(step.node.opType);

/** The steps above `from` if their operators are these, from below; else none. */
function chainUp({ all }: Steps, from: number, operators: readonly (readonly string[])[]): number[] {
  const chain: number[] = [];
  let at = from;
  for (const names of operators) {
    // A cast may lie between, as exporters to half precision and Paddle's put it.
    let next = all[at]!.needs.find(need => isA(all[need], [...names, 'Cast']));
    if (next !== undefined && isA(all[next], ['Cast'])) {
      chain.push(next);
      next = all[next]!.needs.find(need => isA(all[need], names));
    }
    if (next === undefined) return [];
    chain.push(next);
    at = next;
  }
  return chain;
}

/** The steps below `from` as far as their operators are these: what is there counts. */
function chainDown(
  { all }: Steps,
  readers: readonly (readonly number[])[],
  from: number,
  operators: readonly string[],
): number[] {
  const chain: number[] = [];
  let at = from;
  for (const name of operators) {
    const next = readers[at]!.find(reader => isA(all[reader], [name]));
    if (next === undefined) break;
    chain.push(next);
    at = next;
  }
  return chain;
}
