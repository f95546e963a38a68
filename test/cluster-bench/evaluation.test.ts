import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { apartBoundHz, staggeredBoundHz, upperBoundHz } from '../../bench/cluster/bounds.ts';
import { CURVES } from '../../bench/cluster/curves.ts';
import { Lab } from '../../bench/cluster/lab.ts';
import { figuresOf, notesOf } from '../../bench/cluster/report/table.ts';
import { ratioTarget, type RowResult } from '../../bench/cluster/results.ts';
import { oneModel } from '../../bench/cluster/rows/one-model.ts';
import { exponential, seededRandom } from '../../contracts/index.ts';

test('evaluation: bounds are those of the papers', t => {
  // 36 of 1.082b + 5.204 are the most with (1 + 1/8)·ℓ(b) ≤ 50; 18 on one device.
  t.is(Math.round(staggeredBoundHz(CURVES.resnet50, 50, 8)), Math.round((8 * 36_000) / 44.156));
  t.is(Math.round(staggeredBoundHz(CURVES.resnet50, 50, 1)), 729);
  t.is(staggeredBoundHz(CURVES.stress, 50, 1), 0, 'not one fits twice');
});

test('evaluation: models apart fill their batches as Poisson arrivals let them', t => {
  const { alphaMs, betaMs } = CURVES.resnet50;
  const [objectiveMs, hosts] = [50, 4];
  const rateHz = apartBoundHz(
    CURVES.resnet50,
    [1, 1, 1, 1, 1, 1, 1, 1].map(share => share / 8),
    {
      objectiveMs,
      hosts,
      besidesMs: 0.1,
    },
  );
  const random = seededRandom(1);
  const everyMs = (1000 * 8) / rateHz;
  let [batches, inputs, atMs] = [0, 0, 0];
  while (inputs < 200_000) {
    const beganMs = atMs;
    let size = 0;
    do {
      size++;
      atMs += exponential(random, everyMs);
    } while (atMs - beganMs <= objectiveMs - (alphaMs * (size + 1) + betaMs));
    inputs += size;
    batches++;
  }
  const eachMs = alphaMs + (betaMs * batches) / inputs + 0.1;
  t.true(Math.abs((rateHz * eachMs) / 1000 / hosts - 1) < 0.005, `${rateHz}/s keep ${(rateHz * eachMs) / 1000} busy`);
});

test('evaluation: no split of the objective beats the upper bound', t => {
  const line = fc.record({
    alphaMs: fc.double({ min: 0.1, max: 5, noNaN: true }),
    betaMs: fc.double({ min: 0, max: 20, noNaN: true }),
  });
  fc.assert(
    fc.property(
      line,
      line,
      fc.double({ min: 0.1, max: 10, noNaN: true }),
      fc.double({ min: 60, max: 500, noNaN: true }),
      (a, b, gamma, objectiveMs) => {
        const [first, second] = [a, b].map(curve => ({ ...curve, batchMax: 32 })) as [
          typeof a & { batchMax: number },
          typeof a & { batchMax: number },
        ];
        const bound = upperBoundHz(
          [
            { curve: first, perFrame: 1 },
            { curve: second, perFrame: gamma, after: true },
          ],
          objectiveMs,
          4,
        );
        for (let x = 1; x <= 32; x++) {
          for (let y = 1; y <= 32; y++) {
            const [one, two] = [a.alphaMs * x + a.betaMs, b.alphaMs * y + b.betaMs];
            if (one + two > objectiveMs) continue;
            t.true(bound >= (4000 / (one / x + (gamma * two) / y)) * (1 - 1e-9));
          }
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('evaluation: what was run is remembered until the code is another', async t => {
  const said: string[] = [];
  const cacheDir = mkdtempSync(join(tmpdir(), 'ganglion-evaluation-'));
  t.teardown(() => rmSync(cacheDir, { recursive: true, force: true }));
  const common = {
    cacheDir,
    quick: true,
    frames: 300,
    seeds: [1, 2],
    precision: 0.1,
    say: (line: string) => said.push(line),
  };
  const setting = oneModel({ curve: 'resnet50', objectiveMs: 50 }, 1);
  const found = await new Lab({ ...common, version: 'a' }).goodput(setting, { expected: 0.8 });
  const runs = said.length;
  t.true(found.hz > 400 && found.hz < 729, `${found.hz}`);
  t.true(found.lowHz <= found.hz && found.hz <= found.highHz);
  t.is(found.points, runs);
  t.deepEqual(await new Lab({ ...common, version: 'a' }).goodput(setting, { expected: 0.8 }), found);
  t.is(said.length, runs, 'nothing was run again');
  await new Lab({ ...common, version: 'b' }).point(setting, 1, 0.8);
  t.is(said.length, runs + 1);
});

const row = (note?: string): RowResult => ({
  id: 'row',
  title: 'Row',
  about: [],
  unit: 'frames/s',
  xName: 'GPUs',
  systems: [
    { id: 'ours', title: 'ours' },
    { id: 'nexus', title: 'Nexus' },
  ],
  ratios: [['ours', 'nexus']],
  groups: [
    {
      name: 'a',
      cells: [1, 2].flatMap(x => [
        { x, system: 'ours', value: 130 * x, low: 120 * x, high: 140 * x },
        { x, system: 'nexus', ...(note === undefined ? { value: 100 * x } : { value: null, note }) },
      ]),
    },
  ],
  targets: [],
});

const targetOf = (one: RowResult, least: number) =>
  ratioTarget(one, { what: '', group: 'a', x: 2, over: 'ours', under: 'nexus', least });

test('evaluation: a table has the figures, their range and the ratios; a target is met, missed or not run', (t: ExecutionContext) => {
  const [all, unrun, none] = [row(), row('not run: no such policy'), row('serves no rate with 99 % in time')];
  t.deepEqual(figuresOf(all, all.groups[0]!), {
    header: ['GPUs', 'ours', 'Nexus', 'ours / Nexus'],
    rows: [
      ['1', '130 (120–140)', '100', '1.30 ×'],
      ['2', '260 (240–280)', '200', '1.30 ×'],
    ],
  });
  t.deepEqual(notesOf(unrun, unrun.groups[0]!), ['Nexus: not run: no such policy'], 'said once');
  t.like(targetOf(all, 1.3), { met: true, reached: '1.30 ×' });
  t.like(targetOf(all, 1.31), { met: false });
  t.is(targetOf(unrun, 1.3).met, null);
  t.true(targetOf(none, 1.3).met, 'the other serves no rate');
});
