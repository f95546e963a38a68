import {
  compile,
  runForReal,
  searchGoodput,
  simulate,
  type Outcome,
  type ScenarioDocument,
} from '../../../deploy/simulate/index.ts';
import { machine } from '../../lib/machine.ts';
import { modelLike } from '../curves.ts';
import type { Lab } from '../lab.ts';
import type { RowResult, Target } from '../results.ts';

/** Times of the curves, and of objectives besides: late timers and a shared machine then count for little. */
const SLOWER = 24;
const STRETCH = 3;
const PRECISION = 0.04;

/** As examples/scenarios/four-gpus.yaml, in slow motion and with all GPUs given out: real processes keep up on a laptop. */
const DOCUMENT: ScenarioDocument = {
  name: 'four GPUs',
  durationS: 45,
  warmupS: 15,
  network: { oneWayMs: 0.5 },
  devices: [{ kind: 'emulated-slow-gpu', count: 4, memoryMB: 12_000 }],
  models: [
    { ...modelLike('ssd', 'ssd', SLOWER), boxes: { car: 1.5, face: 0.5 } },
    modelLike('googlenet-car', 'googlenet-car', SLOWER),
    modelLike('resnet50', 'resnet50', SLOWER),
  ],
  queries: [
    {
      name: 'traffic',
      streams: ['cam-*'],
      objectiveMs: STRETCH * 600,
      stages: { detect: { model: 'ssd' }, car: { model: 'googlenet-car', from: 'detect', labels: ['car'] } },
    },
    { name: 'logo', streams: ['logo-*'], objectiveMs: STRETCH * 400, stages: { logo: { model: 'resnet50' } } },
  ],
  streams: [
    { name: 'cam', count: 5, rateHz: 10 / STRETCH },
    { name: 'logo', count: 2, rateHz: 25 / STRETCH },
  ],
  config: { allocator: { epochS: 1e6, epochMinMs: 1e9 } },
};
/** Rates of each query for which all GPUs are given out: more than they can do. */
const PLANNED_HZ = 150 / STRETCH;

type Way = typeof simulate;

export async function realRow(lab: Lab): Promise<RowResult> {
  const outcomes = new Map<Way, Map<number, Outcome>>([simulate, runForReal].map(how => [how, new Map()]));
  const run = async (how: Way, factor: number): Promise<Outcome> => {
    const queries = DOCUMENT.queries.map(query => ({ ...query, rateHz: PLANNED_HZ / factor }));
    const file = {
      name: 'four GPUs',
      document: { ...DOCUMENT, queries },
      sources: { profiles: [], traces: new Map() },
    };
    const outcome = await how(compile(file, factor));
    outcomes.get(how)!.set(factor, outcome);
    const { time, offeredHz, badRate } = outcome;
    lab.options.say(`${time} time at ${offeredHz.toFixed(0)}/s: ${(100 * badRate).toFixed(1)} % bad`);
    return outcome;
  };
  const search = (how: Way, start: number) =>
    searchGoodput(
      async factor => {
        const { offeredHz, goodHz, badRate, queries } = await run(how, factor);
        return { factor, offeredHz, goodHz, badRate, frames: framesOf(queries) };
      },
      { precision: PRECISION, step: 1.1, lower: [], descend: false, start },
    );
  const where = machine();
  const virtual = await search(simulate, 1);
  const real = await search(runForReal, virtual.best.factor);
  const atReal = {
    real: outcomes.get(runForReal)!.get(real.best.factor)!,
    virtual: outcomes.get(simulate)!.get(real.best.factor) ?? (await run(simulate, real.best.factor)),
  };
  const ratio = real.best.goodHz / virtual.best.goodHz;
  const target: Target = {
    what: '4 emulated GPUs: goodput of real processes, of the simulated',
    target: '0.90 to 1.10',
    reached: ratio.toFixed(2),
    met: Math.abs(ratio - 1) <= 0.1,
  };
  const x = '4 emulated GPUs';
  return {
    id: 'real',
    title: 'Simulated against real processes',
    about: [
      `The same scenario (traffic and logo, four emulated GPUs, times × ${SLOWER}) in virtual time, and in real time with a process for each actor on a NATS server: the highest rate with 99 % in time of each, to ${100 * PRECISION} %. One seed; ${DOCUMENT.durationS} s a point.`,
      `The machine: ${where}. Real processes share it with whatever else runs.`,
    ],
    unit: 'units as said',
    xName: '',
    systems: [
      { id: 'real', title: 'real time' },
      { id: 'virtual', title: 'virtual time' },
    ],
    ratios: [['real', 'virtual']],
    groups: [
      {
        name: 'goodput, frames/s',
        drawn: false,
        cells: [
          { x, system: 'real', value: real.best.goodHz },
          { x, system: 'virtual', value: virtual.best.goodHz },
        ],
      },
      ...DOCUMENT.queries.map(({ name }, i) => ({
        name: `where the time of ${name} goes at ${atReal.real.offeredHz.toFixed(0)} frames/s, ms`,
        drawn: false,
        cells: Object.entries(atReal).flatMap(([system, { queries }]) =>
          Object.entries(queries[i]!.timing).map(([part, value]) => ({ x: part.replace(/Ms$/, ''), system, value })),
        ),
      })),
    ],
    measured: { seeds: [1], framesMin: framesOf(atReal.real.queries) },
    targets: [target],
    remarks: [
      'Runs take the same in both. What real processes add is the ways of messages, waits for the processor, and boxes that are cut out of real JPEGs (route).',
    ],
  };
}

const framesOf = (queries: Outcome['queries']): number => queries.reduce((sum, { offered }) => sum + offered, 0);
