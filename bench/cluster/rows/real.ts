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

const SLOWER = 8;
const PRECISION = 0.04;

/** As examples/scenarios/four-gpus.yaml, all GPUs given out: slow enough that real processes keep up on a laptop. */
const DOCUMENT: ScenarioDocument = {
  name: 'four GPUs',
  durationS: 20,
  warmupS: 12,
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
      objectiveMs: 600,
      stages: { detect: { model: 'ssd' }, car: { model: 'googlenet-car', from: 'detect', labels: ['car'] } },
    },
    { name: 'logo', streams: ['logo-*'], objectiveMs: 400, stages: { logo: { model: 'resnet50' } } },
  ],
  streams: [
    { name: 'cam', count: 5, rateHz: 10 },
    { name: 'logo', count: 2, rateHz: 25 },
  ],
  config: { allocator: { epochS: 1e6, epochMinMs: 1e9 } },
};
/** Rates of each query for which all GPUs are given out: more than they can do. */
const PLANNED_HZ = 150;

export async function realRow(lab: Lab): Promise<RowResult> {
  const run = async (how: typeof simulate, factor: number) => {
    const queries = DOCUMENT.queries.map(query => ({ ...query, rateHz: PLANNED_HZ / factor }));
    const file = {
      name: 'four GPUs',
      document: { ...DOCUMENT, queries },
      sources: { profiles: [], traces: new Map() },
    };
    const outcome: Outcome = await how(compile(file, factor));
    const { offeredHz, goodHz, badRate } = outcome;
    lab.options.say(`${outcome.time} time at ${offeredHz.toFixed(0)}/s: ${(100 * badRate).toFixed(1)} % bad`);
    return {
      factor,
      offeredHz,
      goodHz,
      badRate,
      frames: outcome.queries.reduce((sum, { offered }) => sum + offered, 0),
    };
  };
  const where = machine();
  const around = { precision: PRECISION, step: 1.1, lower: [], descend: false };
  const virtual = await searchGoodput(factor => run(simulate, factor), { ...around, start: 1 });
  const real = await searchGoodput(factor => run(runForReal, factor), { ...around, start: virtual.best.factor });
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
      `The same scenario (traffic and logo, four emulated GPUs, times × ${SLOWER}) in virtual time, and in real time with a process for each actor on a NATS server: the highest rate with 99 % in time of each, to ${100 * PRECISION} %. One seed; 20 s a point.`,
      `The machine: ${where}. Real processes share it with whatever else runs.`,
    ],
    unit: 'frames/s',
    xName: '',
    systems: [
      { id: 'real', title: 'real time' },
      { id: 'virtual', title: 'virtual time' },
    ],
    ratios: [['real', 'virtual']],
    groups: [
      {
        name: 'goodput',
        cells: [
          { x, system: 'real', value: real.best.goodHz },
          { x, system: 'virtual', value: virtual.best.goodHz },
        ],
      },
    ],
    targets: [target],
  };
}
