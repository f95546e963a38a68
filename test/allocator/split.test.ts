import test from 'ava';
import fc from 'fast-check';
import { splitBudget, type SplitStage } from '../../allocator/index.ts';

/**
 * Nexus (SOSP'19), section 4.2 (shape from the slides, values recalled): throughputs of X and Y at 40, 50 and 60 ms.
 */
const X = { 40: 200, 50: 250, 60: 300 };
const Y = { 40: 300, 50: 400, 60: 500 };
/** Throughput of a table at most this slow; none below its first entry. */
const throughput = (table: Readonly<Record<number, number>>, ms: number): number =>
  Math.max(0, ...Object.entries(table).flatMap(([at, hz]) => (Number(at) <= ms + 1e-9 ? [hz] : [])));

const example = (gamma: number): SplitStage[] => [
  { name: 'X', from: undefined, cost: ms => 1 / throughput(X, ms) },
  { name: 'Y', from: 'X', cost: ms => gamma / throughput(Y, ms) },
];

for (const [gamma, x, y, hz] of [
  [0.1, 60, 40, 272.7],
  [1, 50, 50, 153.8],
  [10, 40, 60, 40],
] as const) {
  test(`split: the paper's query (γ = ${gamma})`, t => {
    const split = splitBudget(example(gamma), 100, 10)!;
    t.deepEqual(
      [...split.shareMs].map(([name, ms]) => `${name} ${Math.round(ms)}`),
      [`X ${x}`, `Y ${y}`],
    );
    t.is(Number((1 / split.cost).toFixed(1)), hz);
  });
}

test('split: what flat curves leave over is handed back in proportion', t => {
  const flat = (name: string, from: string | undefined, leastMs: number): SplitStage => ({
    name,
    from,
    cost: ms => (ms + 1e-9 >= leastMs ? 1 : Number.POSITIVE_INFINITY),
  });
  const split = splitBudget([flat('a', undefined, 10), flat('b', 'a', 30)], 100, 100)!;
  t.is(Math.round(split.shareMs.get('a')!), 25);
  t.is(Math.round(split.shareMs.get('b')!), 75);
  t.is(splitBudget([flat('a', undefined, 60), flat('b', 'a', 60)], 100, 100), undefined);
});

interface Shape {
  readonly parents: number[];
  readonly weights: number[];
}
const trees: fc.Arbitrary<Shape> = fc.integer({ min: 1, max: 4 }).chain(n =>
  fc.record({
    parents: fc.tuple(...Array.from({ length: n }, (_, i) => fc.integer({ min: -1, max: i - 1 }))),
    weights: fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: n, maxLength: n }),
  }),
);

test('split: as cheap as trying everything, and every path fills the budget exactly (property)', t => {
  fc.assert(
    fc.property(trees, ({ parents, weights }) => {
      const steps = 8;
      const stages = weights.map((weight, i): SplitStage => {
        const parent = parents[i]!;
        const cost = (ms: number): number => (ms < 1 ? Number.POSITIVE_INFINITY : weight / ms);
        return { name: `s${i}`, from: parent < 0 ? undefined : `s${parent}`, cost };
      });
      const split = splitBudget(stages, steps, steps);
      const best = tryAll(stages, parents, steps);
      if (!split) return best === Number.POSITIVE_INFINITY;
      for (const [i] of stages.entries()) {
        if (parents.includes(i)) continue;
        let sum = 0;
        for (let at = i; at >= 0; at = parents[at]!) sum += split.shareMs.get(`s${at}`)!;
        if (Math.abs(sum - steps) > 1e-6) return false;
      }
      return Math.abs(split.cost - best) < 1e-9;
    }),
    { numRuns: 100 },
  );
  t.pass();
});

function tryAll(stages: readonly SplitStage[], parents: readonly number[], steps: number): number {
  let best = Number.POSITIVE_INFINITY;
  const shares: number[] = [];
  const used = (i: number): number => (i < 0 ? 0 : shares[i]! + used(parents[i]!));
  const go = (i: number, cost: number): void => {
    if (i === stages.length) best = Math.min(best, cost);
    else
      for (let k = 1; k <= steps - used(parents[i]!); k++) {
        shares[i] = k;
        go(i + 1, cost + stages[i]!.cost(k));
      }
  };
  go(0, 0);
  return best;
}
