/** A dense matrix of float64, row after row. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

export const zeros = (rows: number, columns: number): Matrix => ({
  rows,
  columns,
  values: new Float64Array(rows * columns),
});

const row = ({ values, columns }: Matrix, index: number): Float64Array =>
  values.subarray(index * columns, (index + 1) * columns);

function dot(a: Float64Array, b: Float64Array, length = a.length): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[i]! * b[i]!;
  return sum;
}

export function transpose(matrix: Matrix): Matrix {
  const out = zeros(matrix.columns, matrix.rows);
  for (let i = 0; i < matrix.rows; i++)
    for (let j = 0; j < matrix.columns; j++) out.values[j * matrix.rows + i] = matrix.values[i * matrix.columns + j]!;
  return out;
}

/** A·Bᵀ: every row of A with every row of B. */
export function timesTransposed(a: Matrix, b: Matrix): Matrix {
  const out = zeros(a.rows, b.rows);
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < b.rows; j++) out.values[i * b.rows + j] = dot(row(a, i), row(b, j));
  return out;
}

/** A·Aᵀ, symmetric. */
export function gramOf(a: Matrix): Matrix {
  const out = zeros(a.rows, a.rows);
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j <= i; j++) {
      const value = dot(row(a, i), row(a, j));
      out.values[i * a.rows + j] = out.values[j * a.rows + i] = value;
    }
  return out;
}

/** A + x·I */
export function withDiagonal(a: Matrix, x: number): Matrix {
  const values = Float64Array.from(a.values);
  for (let i = 0; i < a.rows; i++) values[i * a.columns + i]! += x;
  return { ...a, values };
}

/**
 * The lower triangle L of a symmetric positive definite matrix A = L·Lᵀ (Golub and Van Loan, algorithm 4.2.2, by rows).
 * @returns undefined when A isn't positive definite in float64
 */
export function cholesky(a: Matrix): Matrix | undefined {
  const n = a.rows;
  const lower = zeros(n, n);
  for (let i = 0; i < n; i++) {
    const own = row(lower, i);
    for (let j = 0; j < i; j++) {
      const other = row(lower, j);
      own[j] = (a.values[i * n + j]! - dot(own, other, j)) / other[j]!;
    }
    const square = a.values[i * n + i]! - dot(own, own, i);
    if (!(square > 0)) return undefined;
    own[i] = Math.sqrt(square);
  }
  return lower;
}

/** Rows x of X with L·x = b for each row b of B. */
export function solveLower(lower: Matrix, b: Matrix): Matrix {
  const out = zeros(b.rows, b.columns);
  for (let r = 0; r < b.rows; r++) {
    const [from, to] = [row(b, r), row(out, r)];
    for (let i = 0; i < lower.rows; i++) {
      const own = row(lower, i);
      to[i] = (from[i]! - dot(own, to, i)) / own[i]!;
    }
  }
  return out;
}

/** Rows x of X with L·Lᵀ·x = b for each row b of B. */
export function solveCholesky(lower: Matrix, b: Matrix): Matrix {
  const half = solveLower(lower, b);
  const upper = transpose(lower);
  for (let r = 0; r < half.rows; r++) {
    const x = row(half, r);
    for (let i = upper.rows - 1; i >= 0; i--) {
      const own = row(upper, i);
      let sum = x[i]!;
      for (let j = i + 1; j < upper.rows; j++) sum -= own[j]! * x[j]!;
      x[i] = sum / own[i]!;
    }
  }
  return half;
}

/** Sum of squares of each row. */
export const rowSquares = (a: Matrix): Float64Array =>
  Float64Array.from({ length: a.rows }, (_, i) => dot(row(a, i), row(a, i)));
