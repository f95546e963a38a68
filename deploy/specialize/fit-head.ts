import { timesTransposed, type Matrix } from './linear-algebra.ts';
import { ridgeProblem } from './ridge.ts';

/** score of class c = bias[c] + Σ weights[c, f]·feature[f]; softmax of the scores gives probabilities. */
export interface LinearHead {
  /** [classes, features] */
  readonly weights: Matrix;
  readonly bias: Float64Array;
}

export interface Fit {
  readonly head: LinearHead;
  /** In units of the examples times the mean variance of a standardised feature, which is 1. */
  readonly ridge: number;
  /** Share of the examples that are told right by a head fitted on all others. */
  readonly leaveOneOutAccuracy: number;
}

const RIDGES = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100] as const;
const STEEPNESS = [0.5, 50] as const;

/**
 * A linear classifier: ridge regression on standardised features, with the ridge that has the least squared error on examples left
 * out. The scores are then steepened by one factor, the likeliest for the scores left out, so that softmax gives probabilities that
 * mean something (temperature scaling, Guo et al., ICML'17).
 * @param features [n, d], finite
 * @param labels class of each row, 0..classes − 1, each at least once
 */
export function fitHead(features: Matrix, labels: readonly number[], classes: number): Fit {
  const { columns } = features;
  const scale = scalesOf(features);
  const problem = ridgeProblem(
    { ...features, values: features.values.map((value, at) => value * scale[at % columns]!) },
    labels,
    classes,
  );
  const solutions = RIDGES.flatMap(ridge => {
    const solution = problem.solve(ridge * problem.unit);
    return solution ? [{ ridge, ...solution }] : [];
  });
  const best = solutions.reduce((best, next) => (next.squaredError < best.squaredError ? next : best));
  const steepness = likeliestSteepness(best.leftOut, labels);
  const told = labels.filter((label, i) => argmax(best.leftOut, i) === label).length;
  return {
    head: {
      weights: { ...best.weights, values: best.weights.values.map((w, at) => steepness * w * scale[at % columns]!) },
      bias: best.intercept.map(value => steepness * value),
    },
    ridge: best.ridge,
    leaveOneOutAccuracy: told / labels.length,
  };
}

/** 1 / standard deviation of each feature; 0 for one that never changes. */
function scalesOf({ rows, columns, values }: Matrix): Float64Array {
  const mean = new Float64Array(columns);
  const square = new Float64Array(columns);
  values.forEach((value, at) => (mean[at % columns]! += value / rows));
  values.forEach((value, at) => (square[at % columns]! += (value - mean[at % columns]!) ** 2 / rows));
  return square.map((variance, f) => (variance > 1e-12 * (1 + mean[f]! ** 2) ? 1 / Math.sqrt(variance) : 0));
}

/** The factor s for which softmax(s·scores) makes the labels likeliest; the loss is convex in s: golden section. */
function likeliestSteepness(scores: Matrix, labels: readonly number[]): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high]: [number, number] = [...STEEPNESS];
  for (let i = 0; i < 40; i++) {
    const step = ratio * (high - low);
    if (lossOf(scores, labels, high - step) < lossOf(scores, labels, low + step)) high = low + step;
    else low = high - step;
  }
  return (low + high) / 2;
}

/** −Σ log softmax(s·scores)[label] */
function lossOf({ columns, values }: Matrix, labels: readonly number[], steepness: number): number {
  let loss = 0;
  labels.forEach((label, i) => {
    const own = values.subarray(i * columns, (i + 1) * columns);
    const top = own.reduce((a, b) => Math.max(a, b));
    const sum = own.reduce((sum, score) => sum + Math.exp(steepness * (score - top)), 0);
    loss += Math.log(sum) + steepness * (top - own[label]!);
  });
  return loss;
}

/** The column of the largest value in a row; of several the first. */
export function argmax({ columns, values }: Matrix, row: number): number {
  let best = 0;
  for (let c = 1; c < columns; c++) if (values[row * columns + c]! > values[row * columns + best]!) best = c;
  return best;
}

/** [n, classes] scores of the rows of `features`. */
export function scoresOf({ weights, bias }: LinearHead, features: Matrix): Matrix {
  const scores = timesTransposed(features, weights);
  return { ...scores, values: scores.values.map((score, at) => score + bias[at % bias.length]!) };
}
