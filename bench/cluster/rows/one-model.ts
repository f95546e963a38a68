import { staggeredBoundHz } from '../bounds.ts';
import { CURVES, modelLike, type CurveName } from '../curves.ts';
import { goodputCell } from '../cells.ts';
import type { Lab, Setting } from '../lab.ts';
import { ratioTarget, type Cell, type RowResult, type Target } from '../results.ts';
import { DEFERRED, NEXUS, OURS } from '../systems.ts';

interface Case {
  readonly name: string;
  readonly curve: CurveName;
  readonly objectiveMs: number;
  /** Over Nexus at 16 GPUs. */
  readonly least: number;
}

export const CASES: readonly Case[] = [
  { name: '25 ms, ℓ(b) = 1.082b + 5.204', curve: 'resnet50', objectiveMs: 25, least: 1.3 },
  { name: '50 ms, ℓ(b) = 1.082b + 5.204', curve: 'resnet50', objectiveMs: 50, least: 1.1 },
  { name: '100 ms, ℓ(b) = 6.817b + 23.431', curve: 'stress', objectiveMs: 100, least: 1.45 },
];
const HOSTS = [1, 2, 4, 8, 16];
const SYSTEMS = [OURS, DEFERRED, NEXUS];

/** One model on n GPUs, the streams at the bound. */
export function oneModel({ curve, objectiveMs }: Pick<Case, 'curve' | 'objectiveMs'>, hosts: number): Setting {
  const boundHz = staggeredBoundHz(CURVES[curve], objectiveMs, hosts);
  return {
    name: `one model, ${objectiveMs} ms, ${hosts} GPUs`,
    devices: [{ kind: 'emulated-gpu', count: hosts }],
    models: [modelLike(curve)],
    queries: [
      { name: 'icons', streams: ['cam-*'], objectiveMs, rateHz: boundHz, stages: { classify: { model: curve } } },
    ],
    allGiven: true,
    streams: [{ name: 'cam', count: 20, rateHz: boundHz / 20 }],
  };
}

export async function oneModelRow(lab: Lab): Promise<RowResult> {
  const groups = [];
  for (const one of CASES) {
    const cells: Cell[] = [];
    // A system's share of the bound with fewer GPUs tells where to begin.
    const shares = new Map<string, number>();
    for (const hosts of HOSTS) {
      const boundHz = staggeredBoundHz(CURVES[one.curve], one.objectiveMs, hosts);
      cells.push({ x: hosts, system: 'bound', value: boundHz });
      for (const system of SYSTEMS) {
        const expected = shares.get(system.id) ?? 0.7;
        const found = await goodputCell(lab, oneModel(one, hosts), { system, x: hosts, expected });
        if (found.value !== null) shares.set(system.id, found.value / boundHz);
        cells.push(found);
      }
    }
    groups.push({ name: one.name, cells });
  }
  const row: RowResult = {
    id: 'one-model',
    title: 'One model, 1 to 16 GPUs',
    about: [
      'One model on n emulated GPUs, which all hold it; 20 streams with Poisson arrivals; highest rate with at least 99 % of the frames in time.',
      'Bound: n·b/ℓ(b) with the largest b that n devices which take turns can keep, (1 + 1/n)·ℓ(b) ≤ L. Messages take 0.2 ms each way, which the bound leaves out.',
      `Curves: ${CURVES.resnet50.provenance}; ${CURVES.stress.provenance}.`,
    ],
    unit: 'frames/s',
    xName: 'GPUs',
    systems: [...SYSTEMS, { id: 'bound', title: 'staggered bound' }],
    ratios: [
      ['ours', 'nexus'],
      ['ours', 'bound'],
    ],
    drawnOver: 'bound',
    groups,
    targets: [],
    paper:
      'Symphony, from its formulas: against Nexus +36 % at 25 ms (8 GPUs), +12 % at 50 ms, +55 % on the stress curve.',
  };
  return { ...row, targets: targetsOf(row) };
}

function targetsOf(row: RowResult): Target[] {
  const against = CASES.map(({ name, least }) =>
    ratioTarget(row, {
      what: `one model, 16 GPUs, ${name}: over Nexus`,
      group: name,
      x: 16,
      over: 'ours',
      under: 'nexus',
      least,
    }),
  );
  const all = row.groups.flatMap(({ name, cells }) =>
    HOSTS.flatMap(x => {
      const of = (system: string): number | null | undefined =>
        cells.find(cell => cell.x === x && cell.system === system)?.value;
      const [ours, nexus] = [of('ours'), of('nexus')];
      return ours && nexus ? [{ ratio: ours / nexus, where: `${x} GPUs, ${name}` }] : [];
    }),
  );
  const worst = all.toSorted((a, b) => a.ratio - b.ratio)[0];
  const never: Target = {
    what: 'one model, 1 to 16 GPUs: over Nexus, the worst of all',
    target: '≥ 1.00 ×',
    reached: worst ? `${worst.ratio.toFixed(3)} × (${worst.where})` : '',
    met: worst ? worst.ratio >= 1 : null,
  };
  const bound = [8, 16].map(x =>
    ratioTarget(row, {
      what: `one model, ${x} GPUs, 50 ms: of the staggered bound`,
      group: CASES[1]!.name,
      x,
      over: 'ours',
      under: 'bound',
      least: 0.95,
    }),
  );
  return [...against, never, ...bound];
}
