import type { Outcome } from '../../../deploy/simulate/index.ts';
import { modelLike, type CurveName } from '../curves.ts';
import type { Lab, Setting } from '../lab.ts';
import type { RowResult, Target, Timeline } from '../results.ts';
import { missingOf, NEXUS, OURS } from '../systems.ts';

const HOSTS = 100;
/** Times of the curves: a GPU that is so much slower than a GTX 1080 Ti. Assumed. */
const SLOWER = 8;
/** The workload below lasts so long. */
const DURATION_S = 1000;
const SURGE = { fromS: 326, toS: 644, factor: 1.5 };
/** So long it is looked for what a surge does. */
const AFTER_S = 70;
const AT_FIRST_S = 30;

/** How it is run. */
interface Run {
  readonly id: string;
  readonly title: string;
  readonly durationS: number;
  /** Times all objectives and execution times, and rates by it: as many GPUs are needed and fewer frames come. A cluster in slow motion. */
  readonly stretch: number;
  /** All changes of the workload come so much sooner. */
  readonly hurry: number;
}

/** Seven applications; one surges as in the paper, others drift. Objectives and rates are assumed. */
function large({ stretch, hurry }: Run): Setting {
  const slow = (curve: CurveName) => modelLike(curve, curve, stretch * SLOWER);
  const sooner = ({ fromS, toS, factor }: typeof SURGE) => [{ fromS: fromS / hurry, toS: toS / hurry, factor }];
  const find = { detect: { model: 'ssd' } };
  const car = { model: 'googlenet-car', from: 'detect', labels: ['car'] };
  const face = { model: 'vgg-face', from: 'detect', labels: ['face'] };
  return {
    name: 'a hundred GPUs',
    devices: [{ kind: 'emulated-slow-gpu', count: HOSTS, memoryMB: 12_000 }],
    models: [
      { ...slow('ssd'), boxes: { car: 1.5, face: 0.5 } },
      slow('googlenet-car'),
      slow('vgg-face'),
      slow('resnet50'),
      slow('lenet5'),
      slow('efficientnet-b0'),
    ],
    queries: [
      {
        name: 'game',
        streams: ['game-*'],
        objectiveMs: stretch * 300,
        stages: { icon: { model: 'resnet50' }, digits: { model: 'lenet5' } },
      },
      { name: 'traffic', streams: ['traffic-*'], objectiveMs: stretch * 600, stages: { ...find, car, face } },
      {
        name: 'dance',
        streams: ['dance-*'],
        objectiveMs: stretch * 400,
        stages: { pose: { model: 'efficientnet-b0' } },
      },
      { name: 'billboard', streams: ['billboard-*'], objectiveMs: stretch * 800, stages: { ...find, face } },
      {
        name: 'bike',
        streams: ['bike-*'],
        objectiveMs: stretch * 500,
        stages: { ...find, what: { model: 'efficientnet-b0', from: 'detect' } },
      },
      { name: 'amber', streams: ['amber-*'], objectiveMs: stretch * 600, stages: { ...find, car } },
      { name: 'logo', streams: ['logo-*'], objectiveMs: stretch * 400, stages: { logo: { model: 'resnet50' } } },
    ],
    streams: [
      { name: 'game', count: 20, rateHz: 50 / stretch, surges: sooner(SURGE) },
      { name: 'traffic', count: 20, rateHz: 12 / stretch, surges: sooner({ fromS: 150, toS: 500, factor: 1.3 }) },
      { name: 'dance', count: 20, rateHz: 50 / stretch, surges: sooner({ fromS: 450, toS: 800, factor: 0.6 }) },
      { name: 'billboard', count: 10, rateHz: 15 / stretch },
      { name: 'bike', count: 10, rateHz: 15 / stretch, surges: sooner({ fromS: 700, toS: 900, factor: 1.4 }) },
      { name: 'amber', count: 10, rateHz: 15 / stretch },
      { name: 'logo', count: 20, rateHz: 25 / stretch, surges: sooner({ fromS: 200, toS: 600, factor: 0.7 }) },
    ],
  };
}

interface Served {
  readonly id: string;
  readonly title: string;
  readonly outcome: Outcome;
}

export const largeRow = (lab: Lab): Promise<RowResult> =>
  hundred(lab, {
    id: 'large',
    title: 'A hundred GPUs, a changing workload',
    // A short one ends some time after the surge began.
    durationS: lab.options.quick ? 400 : DURATION_S,
    stretch: 4,
    hurry: 1,
  });

/** The same without slow motion, and four times the frames: for the night, or shorter with `quick`. */
export function surgeRow(lab: Lab): Promise<RowResult> {
  const durationS = lab.options.quick ? 300 : DURATION_S;
  const hurry = DURATION_S / durationS;
  return hundred(lab, { id: 'surge', title: 'A hundred GPUs in real speed', durationS, stretch: 1, hurry });
}

async function hundred(lab: Lab, run: Run): Promise<RowResult> {
  const { id: row, title: rowTitle, durationS, stretch, hurry } = run;
  const surgeS = SURGE.fromS / hurry;
  const served: Served[] = [];
  for (const { id, title, policies } of [OURS, NEXUS].filter(system => missingOf(system) === undefined)) {
    const outcome = await lab.outcome({
      ...large(run),
      name: `a hundred GPUs, ${id}`,
      policies,
      seed: 1,
      durationS,
      warmupS: 0,
    });
    served.push({ id, title, outcome });
  }
  const cells = FIGURES.flatMap(([x, of]) =>
    served.map(({ id, outcome }) => ({ x, system: id, value: of(outcome, surgeS) })),
  );
  return {
    id: row,
    title: rowTitle,
    about: [
      `Seven applications with six models on ${HOSTS} emulated GPUs (times of the other rows × ${stretch * SLOWER}, assumed), Poisson; ${durationS} s, epochs of 30 s, at least 10 s apart; Nexus's own steps from plan to plan.`,
      `The game's rate is ${SURGE.factor} times as high from ${surgeS.toFixed(0)} to ${(SURGE.toS / hurry).toFixed(0)} s, other applications change at other times. Rates, objectives (${stretch * 300} to ${stretch * 800} ms) and curves are assumed: the paper doesn't give them. One seed.`,
      'Both planners are asked by the same allocator, so both see the surge as soon.',
      ...(stretch > 1
        ? [
            `In slow motion, × ${stretch}: so much fewer frames keep as many GPUs busy, and a run stays affordable; but a new GPU takes ${stretch} times as long until it has warmed up all batches of its models, about 15 s.`,
          ]
        : []),
    ],
    unit: 'units as said',
    xName: '',
    systems: [OURS, NEXUS],
    groups: [{ name: `${HOSTS} GPUs, ${durationS} s`, cells, drawn: false }],
    measured: {
      seeds: [1],
      framesMin: Math.min(...served.map(({ outcome }) => Math.round(outcome.offeredHz * durationS))),
    },
    timelines: timelinesOf(served),
    targets: targetsOf(served, run, surgeS),
    paper:
      '100 K80, 7 applications: mean bad rate 0.27 %; surge at 326 s detected in 12 s; fall at 644 s followed in 10 s.',
  };
}

const FIGURES: readonly (readonly [name: string, of: (outcome: Outcome, surgeS: number) => number | null])[] = [
  ['bad frames, %', ({ badRate }) => 100 * badRate],
  ['GPUs used, mean', ({ gpus }) => gpus.usedMean],
  ['GPUs used, most', ({ gpus }) => gpus.usedMax],
  ['from the surge until the next plan is in force, s', (outcome, surgeS) => detectedS(outcome, surgeS)],
  ['from the surge until the last second with more than 1 % bad, s', (outcome, surgeS) => calmS(outcome, surgeS)],
  [`bad frames in the ${AT_FIRST_S} s from the surge on, %`, (outcome, surgeS) => badAtFirst(outcome, surgeS)],
];

const detectedS = ({ epochs }: Outcome, surgeS: number): number | null => {
  const next = epochs.find(({ atS }) => atS > surgeS);
  return next ? next.atS - surgeS : null;
};

/** Of all applications together, by bucket. */
function overTime({ queries, series }: Outcome): { offered: number[]; bad: number[] } {
  const sumOf = (which: 'offered' | 'bad'): number[] =>
    series.gpusUsed.map((_, i) => queries.reduce((sum, query) => sum + query.series[which][i]!, 0));
  return { offered: sumOf('offered'), bad: sumOf('bad') };
}

/** Until the last second with more than 1 % bad of the first {@link AFTER_S}; null: they still are at the end of these. */
function calmS(outcome: Outcome, surgeS: number): number | null {
  const { bucketS } = outcome.series;
  const { offered, bad } = overTime(outcome);
  const first = Math.floor(surgeS / bucketS);
  const those = bad.slice(first, first + Math.ceil(AFTER_S / bucketS));
  const last = those.findLastIndex((count, i) => count > 0.01 * offered[first + i]!);
  return last === those.length - 1 ? null : (last + 1) * bucketS;
}

function badAtFirst(outcome: Outcome, surgeS: number): number {
  const { bucketS } = outcome.series;
  const { offered, bad } = overTime(outcome);
  const [from, to] = [Math.floor(surgeS / bucketS), Math.ceil((surgeS + AT_FIRST_S) / bucketS)];
  const sumOf = (counts: readonly number[]): number => counts.slice(from, to).reduce((sum, count) => sum + count, 0);
  return (100 * sumOf(bad)) / sumOf(offered);
}

function timelinesOf(served: readonly Served[]): Timeline[] {
  const bucketS = served[0]?.outcome.series.bucketS ?? 1;
  const lines = (of: (outcome: Outcome) => number[]) =>
    served.map(({ id, outcome }) => ({ name: id, values: of(outcome) }));
  const first = served[0];
  return [
    {
      title: 'Workload',
      unit: 'frames/s',
      bucketS,
      lines: first ? [{ name: 'offered', values: overTime(first.outcome).offered.map(count => count / bucketS) }] : [],
    },
    { title: 'GPUs used', unit: 'GPUs', bucketS, lines: lines(({ series }) => [...series.gpusUsed]) },
    {
      title: 'Bad rate',
      unit: '% of the frames',
      bucketS,
      lines: lines(outcome => {
        const { offered, bad } = overTime(outcome);
        return offered.map((all, i) => (all === 0 ? 0 : (100 * bad[i]!) / all));
      }),
    },
  ];
}

function targetsOf(served: readonly Served[], { durationS, stretch }: Run, surgeS: number): Target[] {
  const [ours, nexus] = [OURS, NEXUS].map(({ id }) => served.find(one => one.id === id)?.outcome);
  const what = `100 GPUs, ${durationS} s${stretch > 1 ? '' : ' in real speed'}:`;
  const unrun = { reached: '', met: null };
  const bad = ours && 100 * ours.badRate;
  const calm = ours && calmS(ours, surgeS);
  return [
    {
      what: `${what} mean bad rate`,
      target: '< 0.27 %',
      ...(bad === undefined ? unrun : { reached: `${bad.toFixed(2)} %`, met: bad < 0.27 }),
    },
    {
      what: `${what} GPUs used, mean`,
      target: "≤ Nexus's",
      ...(ours && nexus
        ? {
            reached: `${ours.gpus.usedMean.toFixed(1)} against ${nexus.gpus.usedMean.toFixed(1)}`,
            met: ours.gpus.usedMean <= nexus.gpus.usedMean,
          }
        : unrun),
    },
    {
      what: `${what} surge served again`,
      target: '< 12 s',
      ...(calm === undefined
        ? unrun
        : { reached: calm === null ? 'never' : `${calm.toFixed(0)} s`, met: calm !== null && calm < 12 }),
    },
  ];
}
