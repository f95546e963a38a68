import test from 'ava';
import fc from 'fast-check';
import {
  cheapestKind,
  devicesFor,
  longestPath,
  splitQuery,
  stageRates,
  topDown,
  type CostedStage,
} from '../../allocator/query/index.ts';
import { curvesOf } from '../../allocator/index.ts';
import { ConfigError } from '../../contracts/index.ts';
import { curve, linear, profileOf } from '../allocator/profiles.ts';

/** Nexus (SOSP'19), section 4.2: throughputs of X and Y at 40, 50 and 60 ms, and the average throughput of each split. */
const PAPER = {
  X: { 40: 200, 50: 250, 60: 300 },
  Y: { 40: 300, 50: 400, 60: 500 },
  best: [
    { gamma: 0.1, x: 60, y: 40, hz: 272.7 },
    { gamma: 1, x: 50, y: 50, hz: 153.8 },
    { gamma: 10, x: 40, y: 60, hz: 40 },
  ],
};
const throughput = (table: Readonly<Record<number, number>>, ms: number): number =>
  Math.max(0, ...Object.entries(table).flatMap(([at, hz]) => (Number(at) <= ms + 1e-9 ? [hz] : [])));
const paper = (gamma: number): CostedStage[] => {
  const rates = stageRates(
    [
      { name: 'X', from: [] },
      { name: 'Y', from: ['X'] },
    ],
    1,
    () => gamma,
  );
  return [
    { name: 'X', from: [], cost: ms => rates.get('X')! / throughput(PAPER.X, ms) },
    { name: 'Y', from: ['X'], cost: ms => rates.get('Y')! / throughput(PAPER.Y, ms) },
  ];
};

for (const { gamma, x, y, hz } of PAPER.best) {
  test(`query analysis: the paper's table, re-split as the fan-out changes (γ = ${gamma})`, t => {
    const split = splitQuery(paper(gamma), 100, { steps: 10 })!;
    t.deepEqual(
      [...split.shareMs].map(([name, ms]) => [name, Math.round(ms)]),
      [
        ['X', x],
        ['Y', y],
      ],
    );
    t.is(Number((1 / split.cost).toFixed(1)), hz);
    t.is(Number((1 / splitQuery(paper(gamma), 100)!.cost).toFixed(1)), hz, 'the same on a finer grid');
  });
}

interface Shape {
  readonly parents: readonly (readonly number[])[];
  readonly costs: readonly (readonly number[])[];
}
const STEPS = 6;
/** DAGs of up to 5 stages: each reads any of those before it. Costs fall with each step, from Infinity at none. */
const shapes: fc.Arbitrary<Shape> = fc.integer({ min: 1, max: 5 }).chain(n =>
  fc.record({
    parents: fc.tuple(...Array.from({ length: n }, (_, i) => fc.subarray(Array.from({ length: i }, (_, j) => j)))),
    costs: fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: STEPS, maxLength: STEPS }), {
      minLength: n,
      maxLength: n,
    }),
  }),
);
const stagesOf = ({ parents, costs }: Shape): CostedStage[] =>
  parents.map((from, i) => {
    const falling = costs[i]!.toSorted((a, b) => b - a);
    const cost = (ms: number): number =>
      ms < 1 - 1e-9 ? Number.POSITIVE_INFINITY : falling[Math.min(STEPS, Math.floor(ms + 1e-9)) - 1]!;
    return { name: `s${i}`, from: from.map(j => `s${j}`), cost };
  });

/** Every assignment of whole steps. */
function tryAll({ parents }: Shape, stages: readonly CostedStage[]): number {
  let best = Number.POSITIVE_INFINITY;
  const ends: number[] = [];
  const go = (i: number, cost: number): void => {
    if (cost >= best) return;
    if (i === stages.length) {
      best = cost;
      return;
    }
    const start = Math.max(0, ...parents[i]!.map(j => ends[j]!));
    for (let k = 1; k <= STEPS - start; k++) {
      ends[i] = start + k;
      go(i + 1, cost + stages[i]!.cost(k));
    }
  };
  go(0, 0);
  return best;
}

test('query analysis: as cheap as trying everything, on any DAG, and no path takes longer than the budget (property)', t => {
  let joins = 0;
  fc.assert(
    fc.property(shapes, shape => {
      const stages = stagesOf(shape);
      if (shape.parents.some(parents => parents.length > 1)) joins++;
      const best = tryAll(shape, stages);
      const split = splitQuery(stages, STEPS, { steps: STEPS });
      if (!split) return best === Number.POSITIVE_INFINITY;
      // Shares grow when what is left over is handed back: never dearer than the best on the grid.
      const fits = longestPath(stages, name => split.shareMs.get(name)!) <= STEPS + 1e-6;
      return fits && split.cost <= best + 1e-9 && split.costLeast <= split.cost + 1e-9;
    }),
    { numRuns: 300 },
  );
  t.true(joins > 30, 'the property saw stages with several parents');
});

test('query analysis: its lower bound holds for finer grids too (property)', t => {
  const kind = [{ kind: 'k', pricePerHour: 1, memoryBytes: Infinity }];
  fc.assert(
    fc.property(
      fc.double({ min: 60, max: 400, noNaN: true }),
      fc.double({ min: 1, max: 500, noNaN: true }),
      (budgetMs, rateHz) => {
        const curves = curvesOf([profileOf('a', linear(3, 6)), profileOf('b', linear(0.6, 1.3))], () => undefined);
        const cost = (model: string, rate: number) => (shareMs: number) =>
          cheapestKind({ model, rateHz: rate, shareMs, networkMs: 0 }, kind, curves, 'independent').costPerHour;
        const stages = [
          { name: 'a', from: [], cost: cost('a', rateHz) },
          { name: 'b', from: ['a'], cost: cost('b', 2 * rateHz) },
        ];
        const coarse = splitQuery(stages, budgetMs, { steps: 20 });
        const fine = splitQuery(stages, budgetMs, { steps: 400 });
        if (!coarse) return true;
        return fine !== undefined && coarse.costLeast <= fine.cost + 1e-9;
      },
    ),
    { numRuns: 40 },
  );
  t.pass();
});

test('query analysis: a stage with several parents starts when the last of them has ended', t => {
  const slow = (leastMs: number) => (ms: number) => (ms + 1e-9 >= leastMs ? 1 : Number.POSITIVE_INFINITY);
  const diamond = (cMs: number): CostedStage[] => [
    { name: 'a', from: [], cost: slow(10) },
    { name: 'b', from: ['a'], cost: slow(20) },
    { name: 'c', from: ['a'], cost: slow(cMs) },
    { name: 'd', from: ['b', 'c'], cost: slow(30) },
  ];
  t.is(splitQuery(diamond(61), 100, { steps: 100 }), undefined);
  const { shareMs } = splitQuery(diamond(60), 100, { steps: 100 })!;
  t.deepEqual(
    [...shareMs].map(([name, ms]) => [name, Math.round(ms)]),
    [
      ['a', 10],
      ['b', 60],
      ['c', 60],
      ['d', 30],
    ],
  );
});

test('query analysis: rates follow every edge, and add up where edges meet', t => {
  const stages = [
    { name: 'sum', from: ['a', 'b'] },
    { name: 'a', from: [] },
    { name: 'b', from: ['a'] },
  ];
  t.deepEqual(
    topDown(stages).map(stage => stage.name),
    ['a', 'b', 'sum'],
  );
  const rates = stageRates(stages, 10, (from, to) => (to === 'b' ? 3 : from === 'a' ? 0.5 : 2));
  t.deepEqual(Object.fromEntries(rates), { a: 10, b: 30, sum: 65 });
});

test('query analysis: a circle and an unknown stage are named, with the remedy', t => {
  const circle = t.throws(
    () =>
      topDown([
        { name: 'a', from: ['b'] },
        { name: 'b', from: ['a'] },
      ]),
    { instanceOf: ConfigError },
  );
  t.regex(circle.message, /stages\.a\.from: .*circle: a, b\n.*remove its `from`/);
  t.throws(() => topDown([{ name: 'a', from: ['x'] }]), {
    message: /stages\.a\.from: there is no stage "x"\n.*stages: a/,
  });
});

test('query analysis: each stage goes to the kind that is cheapest for its share', t => {
  const curves = curvesOf(
    [profileOf('m', linear(1, 5), { device: 'fast' }), profileOf('m', linear(2, 10), { device: 'slow' })],
    () => undefined,
  );
  const kinds = [
    { kind: 'fast', pricePerHour: 3, memoryBytes: Infinity },
    { kind: 'slow', pricePerHour: 1, memoryBytes: Infinity },
    { kind: 'unprofiled', pricePerHour: 0.1, memoryBytes: Infinity },
  ];
  const at = (shareMs: number, networkMs = 0) =>
    cheapestKind({ model: 'm', rateHz: 100, shareMs, networkMs }, kinds, curves, 'independent').kind;
  t.is(at(200), 'slow');
  t.is(at(20), 'fast');
  t.is(at(200, 185), 'fast', 'the way over the network is charged to the share');
  t.is(at(5), undefined);
});

test('query analysis: devices of a rate, by both rules', t => {
  const m = curve('m', linear(1, 5));
  // 2ℓ(b) ≤ 50: b = 20, 25 ms, of 1000/s 1.25 devices. Late binding: nearly ℓ(b) ≤ 50, b at most 32.
  t.is(devicesFor(m, 1000, 50, 'independent'), 1.25);
  t.true(devicesFor(m, 1000, 50, 'late-binding') < 1.25);
  t.true(devicesFor(m, 1000, 50, 'late-binding') >= (1000 * 37) / 32 / 1000);
  t.is(devicesFor(m, 1, 5.9, 'independent'), Infinity);
  t.is(devicesFor(m, 1, 50, 'independent', 50), Infinity, 'it does not fit into memory');
  t.true(devicesFor(m, 1, 7, 'independent') > devicesFor(m, 1, 13, 'independent'), 'a device of its own is no bargain');
});

test('query analysis: stages that are too entangled are refused with the remedy, not tried for hours', t => {
  const readers = Array.from({ length: 12 }, (_, i) => i);
  const first = readers.map((i): CostedStage => ({ name: `a${i}`, from: [], cost: ms => 1 / ms }));
  const all = first.map(stage => stage.name);
  const second = readers.map((i): CostedStage => ({ name: `b${i}`, from: all, cost: ms => 1 / ms }));
  t.throws(() => splitQuery([...first, ...second], 100), {
    instanceOf: ConfigError,
    message: /stages: .*too entangled.*\n.*let fewer stages read several others/,
  });
});
