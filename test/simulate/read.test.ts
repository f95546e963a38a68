import { readdirSync } from 'node:fs';
import test from 'ava';
import { seededRandom } from '../../contracts/index.ts';
import { compile, readScenario } from '../../deploy/simulate/index.ts';
import { oneModel, written } from './scenarios.ts';

const good = oneModel({ gpus: 2, rateHz: 100 });

for (const [what, from, to, says] of [
  ['a field that does not exist', 'rateHz: 100', 'rateHZ: 100', /streams\[0\].rateHZ.*\n.*rateHz/],
  [
    'a model that does not exist',
    'model: resnet50',
    'model: resnet',
    /stages\.classify\.model.*there is no model "resnet"\n.*resnet50/,
  ],
  ['a query that reads no stream', 'streams: [cam]', 'streams: [cams]', /queries\[0\]\.streams.*\n.*cam/],
  ['a model without figures', 'alphaMs: 1.082, betaMs: 5.204, ', '', /no profile of "resnet50" on gpu\n.*alphaMs/],
  ['a run without time', 'durationS: 4', 'durationS: 0', /durationS.*greater than 0/],
  [
    'a fault on nobody',
    'warmupS: 2',
    'warmupS: 2\nfaults: [{ kind: kill, atS: 1, host: gpu-7 }]',
    /faults\[0\]\.host.*\n.*gpu-1 to gpu-2/,
  ],
  [
    'bursts that never end',
    'rateHz: 100',
    'rateHz: 100, arrivals: { kind: bursty, factor: 4, burstS: 2, everyS: 1 }',
    /everyS.*longer than burstS/,
  ],
  [
    'a trace that is not there',
    'rateHz: 100',
    'rateHz: 100, arrivals: { kind: trace, file: no.csv }',
    /no\.csv does not exist/,
  ],
  [
    'a dispatch policy that does not exist',
    'warmupS: 2',
    'warmupS: 2\npolicies: { dispatch: hybrd }',
    /policies\.dispatch: there is no policy "hybrd"\n.*"hybrid"/,
  ],
  [
    'a switch that does not exist',
    'warmupS: 2',
    'warmupS: 2\npolicies: { overlapping: false }',
    /policies\.overlapping.*\n.*overlap/,
  ],
] as const) {
  test(`scenario: ${what} is named with its line and what to do`, async t => {
    t.true(good.includes(from), from);
    const error = await t.throwsAsync(readScenario(await written(t, good.replace(from, to))));
    t.regex(error.message, says);
    t.regex(error.message, /scenario\.yaml:\d+: /);
  });
}

for (const name of readdirSync('examples/scenarios').filter(name => name.endsWith('.yaml'))) {
  test(`scenario: the example ${name} is right`, async t => {
    const file = await readScenario(`examples/scenarios/${name}`);
    t.deepEqual(file.warnings, []);
    const { models, profiles, cameras } = compile(file);
    t.true(models.length > 0 && profiles.length >= models.length && cameras.length > 0);
  });
}

/** Arrivals of the only stream in the first `seconds`. */
async function arrivalsOf(
  t: Parameters<typeof written>[0],
  stream: string,
  seconds: number,
  files: Record<string, string> = {},
): Promise<number[]> {
  const path = await written(t, good.replace('rateHz: 100', stream), files);
  const [camera] = compile(await readScenario(path)).cameras;
  const arrivals = camera!.arrivals(seededRandom(1));
  const all: number[] = [];
  for (let atMs = arrivals.next(); atMs < 1000 * seconds; atMs = arrivals.next()) all.push(atMs);
  return all;
}

const within = (list: readonly number[], fromS: number, toS: number): number =>
  list.filter(atMs => atMs >= 1000 * fromS && atMs < 1000 * toS).length;

/** Variance of the counts in windows of 100 ms over their mean: 1 for Poisson. */
function dispersion(list: readonly number[], seconds: number): number {
  const counts = Array<number>(10 * seconds).fill(0);
  for (const atMs of list) counts[Math.floor(atMs / 100)]!++;
  const mean = list.length / counts.length;
  return counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length / mean;
}

test('arrivals: constant, Poisson and bursty streams have the rate that they should and differ in how even they are', async t => {
  const constant = await arrivalsOf(t, 'rateHz: 50, arrivals: { kind: constant }', 200);
  const poisson = await arrivalsOf(t, 'rateHz: 50', 200);
  const bursty = await arrivalsOf(t, 'rateHz: 50, arrivals: { kind: bursty, factor: 8, burstS: 0.5, everyS: 2 }', 200);
  for (const [list, tolerance] of [
    [constant, 2],
    [poisson, 400],
    [bursty, 1500],
  ] as const)
    t.true(Math.abs(list.length - 10_000) <= tolerance, `${list.length}`);
  t.true(dispersion(constant, 200) < 0.3);
  t.true(Math.abs(dispersion(poisson, 200) - 1) < 0.2);
  t.true(dispersion(bursty, 200) > 3);
});

test('arrivals: surges multiply the rate for their time, and a trace is followed and begins again', async t => {
  const surging = await arrivalsOf(t, 'rateHz: 100, surges: [{ fromS: 10, toS: 20, factor: 3 }]', 30);
  t.true(Math.abs(within(surging, 0, 10) - 1000) < 120);
  t.true(Math.abs(within(surging, 10, 20) - 3000) < 250);
  t.true(Math.abs(within(surging, 20, 30) - 1000) < 120);
  const trace = { 'rates.csv': 'timeS,factor\n0,1\n10,4\n20,0\n' };
  const traced = await arrivalsOf(t, 'rateHz: 100, arrivals: { kind: trace, file: rates.csv }', 60, trace);
  t.true(Math.abs(within(traced, 10, 20) - 4000) < 300);
  t.is(within(traced, 20, 30), 0);
  t.true(Math.abs(within(traced, 40, 50) - 4000) < 300, 'the second round');
});
