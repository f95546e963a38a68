import { staggeredBoundHz, upperBoundHz } from '../bounds.ts';
import { goodputCell } from '../cells.ts';
import { CURVES, modelLike, variantOf } from '../curves.ts';
import type { Lab, Setting } from '../lab.ts';
import type { Cell, RowResult } from '../results.ts';
import { NEXUS, nexusBut, OURS, oursBut, type System } from '../systems.ts';

const BOUND = { id: 'bound', title: 'upper bound' };
const GPU = 'emulated-gpu';

/** The same rate for each of several models, each a query of its own. */
function evenly(
  models: Setting['models'],
  { hosts, objectiveMs, totalHz }: { hosts: number; objectiveMs: number; totalHz: number },
): Setting {
  const rateHz = totalHz / models.length;
  return {
    name: `${models.length} × ${models[0]!.name}, ${objectiveMs} ms`,
    devices: [{ kind: GPU, count: hosts, memoryMB: 11_264 }],
    models,
    queries: models.map(({ name }) => ({
      name,
      streams: [name],
      objectiveMs,
      rateHz,
      stages: { only: { model: name } },
    })),
    streams: models.map(({ name }) => ({ name, rateHz })),
    allGiven: true,
  };
}

const numbered = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** Cells of some systems for some x. */
async function swept(
  lab: Lab,
  systems: readonly System[],
  settings: readonly { x: Cell['x']; setting: Setting; boundHz: number; expected: number }[],
): Promise<Cell[]> {
  const cells: Cell[] = [];
  for (const { x, setting, boundHz, expected } of settings) {
    cells.push({ x, system: 'bound', value: boundHz });
    for (const system of systems) cells.push(await goodputCell(lab, setting, { system, x, expected, step: 1.1 }));
  }
  return cells;
}

export async function multiplexingRow(lab: Lab): Promise<RowResult> {
  const systems = [
    OURS,
    NEXUS,
    oursBut('timeout', 'like TF Serving', { planning: 'nexus', dispatch: 'timeout' }),
    oursBut('aimd', 'like Clipper', { planning: 'nexus', dispatch: 'aimd' }),
  ];
  const objectiveMs = 100;
  const boundHz = upperBoundHz([{ curve: CURVES['googlenet-car'], perFrame: 1 }], objectiveMs, 1);
  const settings = [2, 3, 4, 5].map(x => {
    const models = numbered(x).map(i => modelLike('googlenet-car', `inception-${i}`));
    return { x, setting: evenly(models, { hosts: 1, objectiveMs, totalHz: boundHz }), boundHz, expected: 0.75 };
  });
  return {
    id: 'multiplexing',
    title: 'Several models on one GPU',
    about: [
      `Copies of Inception, each with its own queue and the same rate, on one emulated GPU; ${objectiveMs} ms. ${CURVES['googlenet-car'].provenance}.`,
    ],
    unit: 'frames/s, all together',
    xName: 'copies',
    systems: [...systems, BOUND],
    ratios: [
      ['ours', 'nexus'],
      ['ours', 'timeout'],
      ['ours', 'aimd'],
    ],
    groups: [{ name: `one GPU, ${objectiveMs} ms`, cells: await swept(lab, systems, settings) }],
    targets: [],
    paper: 'Nexus 1.4 to 2.1 × TF Serving and 1.9 to 9.8 × Clipper.',
  };
}

export async function splitRow(lab: Lab): Promise<RowResult> {
  const hosts = 4;
  const objectiveMs = 300;
  const systems = [
    OURS,
    oursBut('even', 'ours, even split', { split: 'even' }),
    NEXUS,
    nexusBut('nexus-even', 'Nexus, even split', { split: 'even' }),
  ];
  const settings = [0.1, 1, 10].map(gamma => {
    const stages = [
      { curve: CURVES.ssd, perFrame: 1 },
      { curve: CURVES['googlenet-car'], perFrame: gamma, after: true },
    ];
    const boundHz = upperBoundHz(stages, objectiveMs, hosts);
    const setting: Setting = {
      name: `split, γ ${gamma}`,
      devices: [{ kind: GPU, count: hosts, memoryMB: 11_264 }],
      models: [{ ...modelLike('ssd'), boxes: gamma }, modelLike('googlenet-car')],
      queries: [
        {
          name: 'cars',
          streams: ['cam-*'],
          objectiveMs,
          rateHz: boundHz,
          stages: { detect: { model: 'ssd' }, car: { model: 'googlenet-car', from: 'detect' } },
        },
      ],
      streams: [{ name: 'cam', count: 20, rateHz: boundHz / 20 }],
      allGiven: true,
    };
    return { x: gamma, setting, boundHz, expected: 0.92 };
  });
  return {
    id: 'split',
    title: 'Query split against γ',
    about: [
      `SSD, then GoogLeNet on γ objects a frame; ${objectiveMs} ms; ${hosts} emulated GPUs, all given out. The objective is split over the stages so that they cost least, or evenly. Curve of SSD and intercept of GoogLeNet assumed.`,
    ],
    unit: 'frames/s',
    xName: 'γ',
    systems: [...systems, BOUND],
    ratios: [
      ['ours', 'even'],
      ['nexus', 'nexus-even'],
      ['ours', 'nexus'],
    ],
    drawnOver: 'bound',
    groups: [{ name: `${hosts} GPUs, ${objectiveMs} ms`, cells: await swept(lab, systems, settings) }],
    targets: [],
    paper: 'the optimal split over an even one +13 to +55 %, most at γ = 10.',
    remarks: [
      'The two splits hardly differ here: half of 300 ms already allows either stage its largest batch (32 and 64), so no split can make batches larger, and what is left is how much room each has. With 400 and 150 ms: traffic.',
    ],
  };
}

/** The intercept at which a batch of 25 takes half of 100 ms: so one device serves 500/s at best by 2ℓ(b) ≤ L, whatever the slope. */
const interceptOf = (alphaMs: number): number => 50 - 25 * alphaMs;

export async function dropRow(lab: Lab): Promise<RowResult> {
  const systems = [OURS, NEXUS, nexusBut('lazy', 'Nexus, lazy drop', { drop: 'lazy' })];
  const objectiveMs = 100;
  const settings = [1, 1.2, 1.4, 1.6, 1.8].map(alphaMs => {
    const curve = { alphaMs, betaMs: interceptOf(alphaMs), batchMax: 64 };
    const model = { name: 'model', ...curve, persistentMB: 100, ephemeralMBPerItem: 10 };
    return {
      x: alphaMs,
      setting: evenly([model], { hosts: 1, objectiveMs, totalHz: 500 }),
      boundHz: staggeredBoundHz(curve, objectiveMs, 1),
      expected: 0.85,
    };
  });
  return {
    id: 'drop',
    title: 'Early against lazy drop',
    about: [
      `One model on one emulated GPU, ${objectiveMs} ms; ℓ(b) = α·b + β with the slope α as given and β such that ℓ(25) = 50 ms: 500 frames/s at best by 2ℓ(b) ≤ L, which is the bound here. All curves are made up, as in the paper.`,
    ],
    unit: 'frames/s',
    xName: 'α, ms',
    systems: [...systems, BOUND],
    ratios: [
      ['nexus', 'lazy'],
      ['ours', 'nexus'],
    ],
    groups: [{ name: `one GPU, ${objectiveMs} ms`, cells: await swept(lab, systems, settings) }],
    targets: [],
    paper: 'early drop serves up to 25 % more than lazy drop.',
  };
}

export async function prefixRow(lab: Lab): Promise<RowResult> {
  const hosts = 2;
  const objectiveMs = 100;
  const systems = [OURS, oursBut('apart', 'ours, each variant by itself', { prefixes: false })];
  const boundHz = upperBoundHz([{ curve: CURVES.resnet50, perFrame: 1 }], objectiveMs, hosts);
  const settings = [1, 2, 5, 10, 20].map(x => {
    const models = numbered(x).map(i => variantOf('resnet50', `variant-${i}`));
    return { x, setting: evenly(models, { hosts, objectiveMs, totalHz: boundHz }), boundHz, expected: 0.75 };
  });
  return {
    id: 'prefix',
    title: 'Prefix batching, 1 to 20 variants',
    about: [
      `Variants of ResNet-50 with the same rate on ${hosts} emulated GPUs, ${objectiveMs} ms: behind their common prefix, or each by itself. Assumed: the suffix, ResNet-50's last layer, takes what it is of the whole: 0.1 % of the slope, 2 % of the intercept, 8 % of the weights.`,
    ],
    unit: 'frames/s, all together',
    xName: 'variants',
    systems: [...systems, BOUND],
    ratios: [['ours', 'apart']],
    groups: [{ name: `${hosts} GPUs, ${objectiveMs} ms`, cells: await swept(lab, systems, settings) }],
    targets: [],
    paper: 'up to +110 % at 10 variants, with nearly no more memory.',
  };
}
