/**
 * Exact minimisation of a sum of functions of a few variables each, every variable 0…steps, by eliminating one
 * variable after the other (non-serial dynamic programming; Bertelè and Brioschi, 1972). Time O(variables · stepsʷ)
 * with w the largest number of variables that meet at once: 2 for trees and for what joins all that it forked.
 */

/** A function of some variables: `values[base + Σ strides[i]·x[variables[i]]]`. */
export interface Factor {
  readonly variables: readonly number[];
  readonly strides: readonly number[];
  readonly base: number;
  readonly values: Float64Array;
}

/** `cost[x]` */
export const ofOne = (x: number, cost: Float64Array): Factor => ({
  variables: [x],
  strides: [1],
  base: 0,
  values: cost,
});

/** `cost[steps − x]` */
export const ofRest = (x: number, cost: Float64Array): Factor => ({ ...ofOne(x, cost.toReversed()) });

/** `cost[to − from]`, and Infinity where `to` comes before `from`. */
export function ofDifference(from: number, to: number, cost: Float64Array): Factor {
  const steps = cost.length - 1;
  const values = new Float64Array(2 * steps + 1).fill(Number.POSITIVE_INFINITY);
  values.set(cost, steps);
  return { variables: [from, to], strides: [-1, 1], base: steps, values };
}

/** How many variables meet at once when they are eliminated in the order that `minimise` takes. */
export function widthOf(scopes: readonly (readonly number[])[]): number {
  let width = 1;
  let left = scopes.map(scope => new Set(scope));
  for (;;) {
    const x = nextOf(left);
    if (x === undefined) return width;
    const scope = neighbours(left, x);
    width = Math.max(width, scope.length + 1);
    left = [...left.filter(one => !one.has(x)), new Set(scope)];
  }
}

/** The assignment with the least sum, by variable; undefined when every sum is Infinity. Of equal ones the first. */
export function minimise(
  factors: readonly Factor[],
  steps: number,
): { readonly cost: number; readonly at: ReadonlyMap<number, number> } | undefined {
  let left = [...factors];
  const eliminated: Elimination[] = [];
  const scopes = (): Set<number>[] => left.map(factor => new Set(factor.variables));
  for (;;) {
    const x = nextOf(scopes());
    if (x === undefined) break;
    const own = left.filter(factor => factor.variables.includes(x));
    const one = eliminate(x, neighbours(scopes(), x), own, steps);
    left = [...left.filter(factor => !own.includes(factor)), one.message];
    eliminated.push(one);
  }
  const cost = left.reduce((sum, factor) => sum + factor.values[factor.base]!, 0);
  if (!Number.isFinite(cost)) return undefined;
  const at = new Map<number, number>();
  for (const { variable, message, choice } of eliminated.toReversed()) {
    at.set(variable, choice[indexOf(message, at)]!);
  }
  return { cost, at };
}

interface Elimination {
  readonly variable: number;
  /** The least sum for each assignment of the other variables, and at which value of `variable`. */
  readonly message: Factor;
  readonly choice: Int32Array;
}

function eliminate(variable: number, scope: readonly number[], own: readonly Factor[], steps: number): Elimination {
  const size = steps + 1;
  const strides = scope.map((_, i) => size ** i);
  const message: Factor = { variables: scope, strides, base: 0, values: new Float64Array(size ** scope.length) };
  const choice = new Int32Array(message.values.length);
  const jumps = own.map(factor => strideOf(factor, variable));
  const at = new Map(scope.map(x => [x, 0]));
  const sums = new Float64Array(size);
  for (let cell = 0; cell < message.values.length; cell++) {
    scope.forEach((x, i) => at.set(x, Math.floor(cell / strides[i]!) % size));
    sums.fill(0);
    for (const [f, factor] of own.entries()) addRow(sums, factor.values, indexOf(factor, at, variable), jumps[f]!);
    let best = Number.POSITIVE_INFINITY;
    for (let value = 0; value < size; value++) {
      if (sums[value]! < best - TIE) {
        best = sums[value]!;
        choice[cell] = value;
      }
    }
    message.values[cell] = best;
  }
  return { variable, message, choice };
}

/** `sums[i] += values[offset + i·jump]`: what the time goes into. */
function addRow(sums: Float64Array, values: Float64Array, offset: number, jump: number): void {
  for (let i = 0, index = offset; i < sums.length; i++, index += jump) sums[i]! += values[index]!;
}

/** Sums that differ by rounding alone are equal. */
const TIE = 1e-12;

const strideOf = (factor: Factor, variable: number): number =>
  factor.variables.reduce((sum, x, i) => sum + (x === variable ? factor.strides[i]! : 0), 0);

function indexOf(factor: Factor, at: ReadonlyMap<number, number>, without?: number): number {
  let index = factor.base;
  for (const [i, x] of factor.variables.entries()) if (x !== without) index += factor.strides[i]! * at.get(x)!;
  return index;
}

/** The variable that meets the fewest others; of equal ones the first. */
function nextOf(scopes: readonly ReadonlySet<number>[]): number | undefined {
  let best: { x: number; others: number } | undefined;
  for (const x of [...new Set(scopes.flatMap(scope => [...scope]))].sort((a, b) => a - b)) {
    const others = neighbours(scopes, x).length;
    if (!best || others < best.others) best = { x, others };
  }
  return best?.x;
}

const neighbours = (scopes: readonly ReadonlySet<number>[], x: number): number[] =>
  [...new Set(scopes.filter(scope => scope.has(x)).flatMap(scope => [...scope]))]
    .filter(other => other !== x)
    .sort((a, b) => a - b);
