import {
  cholesky,
  gramOf,
  rowSquares,
  solveCholesky,
  solveLower,
  timesTransposed,
  transpose,
  withDiagonal,
  zeros,
  type Matrix,
} from './linear-algebra.ts';

/** A ridge regression on targets ±1, one for each class, that waits for its ridge. */
export interface RidgeProblem {
  /** Mean square of the features about their means, times the examples: ridges are told in units of it. */
  readonly unit: number;
  /** @returns undefined when the features aren't positive definite with so small a ridge */
  solve(ridge: number): RidgeSolution | undefined;
}

export interface RidgeSolution {
  /** [classes, features] */
  readonly weights: Matrix;
  readonly intercept: Float64Array;
  /** [examples, classes]: what each example scores when it is left out of the fit. */
  readonly leftOut: Matrix;
  /** Sum of the squared errors of those. */
  readonly squaredError: number;
}

/**
 * One-vs-rest least squares with a penalty ridge·|weights|²; the intercept isn't penalised. The scores of examples that are left out
 * follow in closed form: y − (y − ŷ)/(1 − h), h the leverage (Allen, Technometrics 1974; Golub, Heath and Wahba, Technometrics 1979).
 * Of the features' two Gram matrices the smaller one is factorised, min(n, d)³/3 multiplications for each ridge.
 * @param features [n, d]
 * @param labels class of each row, 0..classes − 1
 */
export function ridgeProblem(features: Matrix, labels: readonly number[], classes: number): RidgeProblem {
  const { rows: n, columns: d } = features;
  const mean = new Float64Array(d);
  for (let i = 0; i < n; i++) for (let f = 0; f < d; f++) mean[f]! += features.values[i * d + f]! / n;
  const centred = { ...features, values: features.values.map((value, at) => value - mean[at % d]!) };
  const turned = transpose(centred);
  const { targets, middle } = targetsOf(labels, classes);
  const primal = d <= n;
  const gram = gramOf(primal ? turned : centred);
  const right = primal ? timesTransposed(targets, turned) : targets;
  const squares = rowSquares(turned).filter(square => square > 0);
  const unit = squares.length === 0 ? 1 : squares.reduce((a, b) => a + b) / squares.length;
  return {
    unit,
    solve: ridge => {
      const lower = cholesky(withDiagonal(gram, ridge));
      if (!lower) return undefined;
      const solved = solveCholesky(lower, right);
      const weights = primal ? solved : timesTransposed(solved, turned);
      // h = x'(X'X + ridge)⁻¹x, in the other form 1 − ridge·(XX' + ridge)⁻¹ᵢᵢ; the intercept adds 1/n.
      const leverage = primal
        ? rowSquares(solveLower(lower, centred))
        : rowSquares(solveLower(lower, withDiagonal(zeros(n, n), 1))).map(inverse => 1 - ridge * inverse);
      const fitted = timesTransposed(weights, centred);
      const leftOut = zeros(n, classes);
      let squaredError = 0;
      for (let i = 0; i < n; i++)
        for (let c = 0; c < classes; c++) {
          const at = c * n + i;
          const error = (targets.values[at]! - fitted.values[at]!) / Math.max(1e-9, 1 - 1 / n - leverage[i]!);
          squaredError += error * error;
          leftOut.values[i * classes + c] = targets.values[at]! + middle[c]! - error;
        }
      const shift = timesTransposed(weights, { rows: 1, columns: d, values: mean }).values;
      return { weights, intercept: middle.map((value, c) => value - shift[c]!), leftOut, squaredError };
    },
  };
}

/** [classes, n]: 1 where the example is of the class, else −1, less the row's `middle`. */
function targetsOf(labels: readonly number[], classes: number): { targets: Matrix; middle: Float64Array } {
  const n = labels.length;
  const targets = zeros(classes, n);
  const middle = new Float64Array(classes).fill(-1);
  for (const label of labels) middle[label]! += 2 / n;
  for (let c = 0; c < classes; c++)
    for (let i = 0; i < n; i++) targets.values[c * n + i] = (labels[i] === c ? 1 : -1) - middle[c]!;
  return { targets, middle };
}
