import test from 'ava';
import fc from 'fast-check';
import { normal, seededRandom } from '../../contracts/index.ts';
import { evaluate, stratifiedSplit } from '../../deploy/specialize/evaluate.ts';
import {
  cholesky,
  gramOf,
  solveCholesky,
  timesTransposed,
  withDiagonal,
} from '../../deploy/specialize/linear-algebra.ts';
import { fitHead, scoresOf } from '../../deploy/specialize/fit-head.ts';
import { ridgeProblem } from '../../deploy/specialize/ridge.ts';

/** Clouds around one centre per class, `apart` standard deviations from each other. */
function clouds(options: { seed: number; examples: number; features: number; classes: number; apart: number }) {
  const { seed, examples, features, classes, apart } = options;
  const random = seededRandom(seed);
  const centres = Array.from({ length: classes * features }, () => (normal(random) * apart) / Math.sqrt(2 * features));
  const labels = Array.from({ length: examples }, (_, i) => i % classes);
  const values = Float64Array.from(
    { length: examples * features },
    (_, at) => centres[labels[Math.floor(at / features)]! * features + (at % features)]! + normal(random),
  );
  return { features: { rows: examples, columns: features, values }, labels };
}

test('ridge: a Cholesky factor solves what it factorises, and refuses what is not positive definite', t => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 12 }), (seed, side) => {
      const { features } = clouds({ seed, examples: side, features: side + 2, classes: 1, apart: 0 });
      const a = withDiagonal(gramOf(features), 0.1);
      const right = { rows: 2, columns: side, values: features.values.slice(0, 2 * side) };
      const back = timesTransposed(solveCholesky(cholesky(a)!, right), a);
      return right.values.every((value, i) => Math.abs(back.values[i]! - value) < 1e-8 * (1 + Math.abs(value)));
    }),
  );
  t.is(cholesky({ rows: 2, columns: 2, values: Float64Array.of(1, 2, 2, 1) }), undefined);
});

test('ridge: what the closed form says of an example left out is what a fit without it says', t => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.constantFrom([12, 4], [7, 15], [9, 9]),
      fc.constantFrom(0.01, 1, 100),
      (seed, [examples, features], ridge) => {
        const { features: all, labels } = clouds({
          seed,
          examples: examples,
          features: features,
          classes: 3,
          apart: 2,
        });
        const { leftOut } = ridgeProblem(all, labels, 3).solve(ridge)!;
        return labels.every((_, out) => {
          const rest = [...labels.keys()].filter(i => i !== out);
          const rowsOf = (indices: readonly number[]) => ({
            rows: indices.length,
            columns: features,
            values: Float64Array.from(indices.flatMap(i => [...all.values.subarray(i * features, (i + 1) * features)])),
          });
          const without = ridgeProblem(
            rowsOf(rest),
            rest.map(i => labels[i]!),
            3,
          ).solve(ridge)!;
          const own = scoresOf({ weights: without.weights, bias: without.intercept }, rowsOf([out])).values;
          return own.every((score, c) => Math.abs(score - leftOut.values[out * 3 + c]!) < 1e-7);
        });
      },
    ),
    { numRuns: 30 },
  );
  t.pass();
});

test('ridge: classes far apart are told apart, labels drawn by lot are not, and the leave-one-out accuracy says so', t => {
  const far = clouds({ seed: 1, examples: 300, features: 20, classes: 4, apart: 8 });
  t.true(fitHead(far.features, far.labels, 4).leaveOneOutAccuracy > 0.97);
  const random = seededRandom(5);
  const lots = far.labels.map(() => Math.floor(random.next() * 4));
  t.true(fitHead(far.features, lots, 4).leaveOneOutAccuracy < 0.4);
});

test('ridge: a feature that never changes, and one in other units, change nothing that is told', t => {
  const { features, labels } = clouds({ seed: 2, examples: 60, features: 4, classes: 2, apart: 3 });
  const wide = new Float64Array(60 * 5);
  for (let i = 0; i < 60; i++) {
    for (let f = 0; f < 4; f++) wide[i * 5 + f] = features.values[i * 4 + f]! * (f === 0 ? 1e4 : 1);
    wide[i * 5 + 4] = 7;
  }
  const plain = fitHead(features, labels, 2);
  const other = fitHead({ rows: 60, columns: 5, values: wide }, labels, 2);
  t.is(other.leaveOneOutAccuracy, plain.leaveOneOutAccuracy);
  t.true(other.head.weights.values.every(Number.isFinite));
  t.true(Math.abs(other.head.weights.values[0]! * 1e4 - plain.head.weights.values[0]!) < 1e-6);
});

test('split: the same share of every class is held out, at least one and never all, and the seed decides which', t => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 2, max: 30 }), { minLength: 2, maxLength: 6 }),
      fc.double({ min: 0.05, max: 0.9, noNaN: true }),
      fc.integer({ min: 0, max: 1000 }),
      (counts, share, seed) => {
        const labels = counts.flatMap((count, label) => Array.from({ length: count }, () => label));
        const { fit, held } = stratifiedSplit(labels, share, seed);
        const again = stratifiedSplit(labels, share, seed);
        const whole = [...fit, ...held].sort((a, b) => a - b);
        return (
          held.join() === again.held.join() &&
          whole.join() === [...labels.keys()].join() &&
          counts.every((count, label) => {
            const mine = held.filter(index => labels[index] === label).length;
            return (
              mine >= 1 && mine < count && (Math.abs(mine - count * share) <= 0.5 || mine === 1 || mine === count - 1)
            );
          })
        );
      },
    ),
  );
  const labels = Array.from({ length: 40 }, (_, i) => i % 2);
  t.notDeepEqual(stratifiedSplit(labels, 0.2, 1).held, stratifiedSplit(labels, 0.2, 2).held);
});

test('evaluation: accuracy, its interval, chance and the pairs mistaken most', t => {
  const truth = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
  const told = [0, 0, 1, 1, 1, 1, 0, 2, 2, 2];
  const { right, accuracy, chance, interval, mistakes } = evaluate(truth, told);
  t.deepEqual([right, accuracy, chance], [7, 0.7, 0.4]);
  t.deepEqual(mistakes, [
    { truth: 0, told: 1, count: 2 },
    { truth: 1, told: 0, count: 1 },
  ]);
  // Wilson's interval for 7 of 10.
  t.deepEqual(
    interval.map(value => value.toFixed(3)),
    ['0.397', '0.892'],
  );
});
