import { apartBoundHz, leastEachMs, upperBoundHz } from '../bounds.ts';
import { goodputCell } from '../cells.ts';
import { CURVES, modelLike, variantOf } from '../curves.ts';
import type { Lab, Setting } from '../lab.ts';
import { ratioTarget, type Cell, type RowResult, type Target } from '../results.ts';
import { NEXUS, nexusBut, OURS, oursBut, type System } from '../systems.ts';

const GAMES = 20;
const ZIPF = 0.9;
const DIGITS = 6;
const HOSTS = 16;
const OBJECTIVE_MS = 50;
/** To prepare one icon on one of the four CPU cores beside each device; digits are small. Assumed. */
const PRE_MS = 2;
const ALL = 'everything on';

/** 20 games by Zipf's law: each frame six digits and an icon, the icons by a variant of each game's own. */
function game(): Setting & { boundHz: number; apartHz: number } {
  const stages = [
    { curve: CURVES.resnet50, perFrame: 1 },
    { curve: CURVES.lenet5, perFrame: DIGITS },
  ];
  const boundHz = upperBoundHz(stages, OBJECTIVE_MS, HOSTS);
  const weights = Array.from({ length: GAMES }, (_, i) => (i + 1) ** -ZIPF);
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const rates = weights.map(weight => (boundHz * weight) / whole);
  const apartHz = apartBoundHz(
    CURVES.resnet50,
    weights.map(weight => weight / whole),
    { objectiveMs: OBJECTIVE_MS, hosts: HOSTS, besidesMs: DIGITS * leastEachMs(CURVES.lenet5, OBJECTIVE_MS) },
  );
  const digits = Object.fromEntries(Array.from({ length: DIGITS }, (_, i) => [`digit-${i + 1}`, { model: 'lenet5' }]));
  return {
    boundHz,
    apartHz,
    name: 'game',
    devices: [{ kind: 'emulated-gpu', count: HOSTS, memoryMB: 11_264 }],
    models: [
      modelLike('lenet5'),
      ...rates.map((_, i) => ({ ...variantOf('resnet50', `icon-${i + 1}`), preMs: PRE_MS })),
    ],
    queries: rates.map((rateHz, i) => ({
      name: `game-${i + 1}`,
      streams: [`game-${i + 1}`],
      objectiveMs: OBJECTIVE_MS,
      rateHz,
      stages: { icon: { model: `icon-${i + 1}` }, ...digits },
    })),
    streams: rates.map((rateHz, i) => ({ name: `game-${i + 1}`, rateHz })),
    allGiven: true,
    lasts: { objectives: 12, warmup: 12 },
  };
}

/**
 * `nexusPlans`: shares of the bound for which Nexus's GPUs are given out; the one with which it does best counts.
 */
interface Variant {
  readonly x: string;
  readonly policies: System['policies'];
  readonly nexusPlans: readonly number[];
}

const VARIANTS: readonly Variant[] = [
  { x: ALL, policies: {}, nexusPlans: [0.68, 0.76, 0.84, 1] },
  { x: '−PB: no prefix batching', policies: { prefixes: false }, nexusPlans: [1] },
  { x: '−SS: batch-oblivious packing', policies: { planning: 'batch-oblivious' }, nexusPlans: [1] },
  { x: '−OL: no overlap', policies: { overlap: false }, nexusPlans: [0.4, 0.48, 0.56, 1] },
];

export async function gameRow(lab: Lab): Promise<RowResult> {
  const { boundHz, apartHz, ...setting } = game();
  const cells: Cell[] = [];
  for (const { x, policies, nexusPlans } of VARIANTS) {
    cells.push({ x, system: 'bound', value: policies.prefixes === false ? apartHz : boundHz });
    for (const system of [oursBut(OURS.id, OURS.title, policies), nexusBut(NEXUS.id, NEXUS.title, policies)]) {
      const expected = system.id === NEXUS.id ? 0.55 : 0.73;
      const found: Cell[] = [];
      for (const planned of system.id === NEXUS.id ? nexusPlans : [1]) {
        const queries = setting.queries.map(query => ({ ...query, rateHz: planned * query.rateHz! }));
        found.push(await goodputCell(lab, { ...setting, queries }, { system, x, expected, step: 1.08 }));
      }
      cells.push(found.reduce((best, cell) => ((cell.value ?? 0) > (best.value ?? 0) ? cell : best)));
    }
  }
  const group = `${HOSTS} GPUs, ${OBJECTIVE_MS} ms`;
  const row = { groups: [{ name: group, cells }] };
  const target = (what: string, x: string, least: number): Target =>
    ratioTarget(row, {
      what: `game, 16 GPUs, 50 ms, ${what}: over Nexus`,
      group,
      x,
      over: 'ours',
      under: 'nexus',
      least,
    });
  return {
    ...row,
    id: 'game',
    title: 'Game analysis',
    about: [
      `${GAMES} games, rates by Zipf's law with exponent ${ZIPF}; per frame ${DIGITS} LeNet and one ResNet-50 with its own last layers; ${OBJECTIVE_MS} ms; ${HOSTS} emulated GPUs, all given out.`,
      `Assumed: the curve of LeNet; that the suffix of each game, ResNet-50's last layer, takes what it is of the whole: 0.1 % of the slope (2 of 4,100 million multiply-adds) and 2 % of the intercept (1 of 54 layers). To prepare an icon takes ${PRE_MS} ms of one of the four CPU cores beside each device, a digit nothing, assumed.`,
      'One thing off at a time, as in the paper. Bound: every device busy all of the time with batches of ℓ(b) ≤ 50 ms; without prefix batching, those of each game no larger than what comes of it (by Poisson) while the first one can wait.',
    ],
    unit: 'frames/s',
    xName: 'variant',
    systems: [OURS, NEXUS, { id: 'bound', title: 'upper bound' }],
    ratios: [
      ['ours', 'nexus'],
      ['ours', 'bound'],
    ],
    targets: [target('without prefix batching', VARIANTS[1]!.x, 1.25), target('with prefix batching', ALL, 1.12)],
    remarks: [
      "Nexus's GPUs are given out for several rates, and that with which it serves most counts.",
      ...[OURS, NEXUS].map(({ id, title }) => `One thing off at a time, ${title}: ${changesOf(cells, id)}.`),
    ],
    paper:
      'Nexus 4,120 requests/s, TF Serving 440, Clipper 324 on 16 GTX 1080 Ti; without PB −12 %, without SS −31 %, without overlap −86 %.',
  };
}

/** What each thing that is off changes. */
function changesOf(cells: readonly Cell[], system: string): string {
  const of = (x: string): number | null | undefined =>
    cells.find(cell => cell.x === x && cell.system === system)?.value;
  const all = of(ALL);
  return VARIANTS.flatMap(({ x }) => {
    const without = of(x);
    if (x === ALL || !all || !without) return [];
    const change = 100 * (without / all - 1);
    return [`${x.slice(0, 3)} ${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(0)} %`];
  }).join(', ');
}
