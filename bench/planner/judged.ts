import { lowerBound, nexus, pooled, type CapacityPlan, type Workload } from '../../allocator/capacity/index.ts';
import { seededRandom, type Profile } from '../../contracts/index.ts';
import { table } from '../lib/stats.ts';
import { GOOD, judgePlan, serves, smallestPool, type Verdict } from './judge.ts';
import { JUDGED_FAMILIES, randomWorkload, type Family } from './workloads.ts';

interface Judged {
  readonly family: string;
  readonly bound: number;
  readonly pooled: CapacityPlan;
  readonly verdict: Verdict;
  /** At 0.9 times the rates: goodput need not fall with the rate. */
  readonly atLess: Verdict;
  readonly smallest: number;
  readonly nexus: CapacityPlan;
  readonly nexusVerdict: Verdict;
  /** Of the least plan by Nexus's packing, for rates raised until it serves. */
  readonly nexusServing: number;
}

/** Rates for which Nexus's packing is asked in turn, over the real ones. */
const RAISED = [1, 1.03, 1.06, 1.1, 1.15, 1.2, 1.3, 1.45, 1.6, 2];

/** Plans of each family on simulated devices, against the smallest pool that serves and against Nexus's packing. */
export function judged(options: {
  workloads: number;
  seed: number;
  base: readonly Profile[];
  /** Rates of the sessions of each workload before scaling, Hz; without: as the family says. */
  traceHz?: readonly number[];
  gpus: readonly [number, number];
  progress: (line: string) => void;
}): string {
  const families: readonly Family[] = options.traceHz
    ? [...JUDGED_FAMILIES, { ...JUDGED_FAMILIES[0]!, name: 'trace', sessions: [10, 80], slack: [3, 20] }]
    : JUDGED_FAMILIES;
  const all = families.flatMap((family, f) =>
    Array.from({ length: options.workloads }, (_, i): Judged => {
      const seed = options.seed * 1_000_003 + f * 1009 + i;
      const random = seededRandom(seed);
      const [least, most] = options.gpus;
      const gpus = least + (most - least) * random.next();
      const traceHz = family.name === 'trace' ? options.traceHz : undefined;
      const workload = roomy(randomWorkload(family, gpus, options.base, random, traceHz));
      const one = judgeOne(family.name, workload, seed);
      options.progress(lineOf(one, i, workload));
      return one;
    }),
  );
  const rows = families.map(({ name }) =>
    rowOf(
      name,
      all.filter(one => one.family === name),
    ),
  );
  return table(HEADER, [...rows, rowOf('all', all)]);
}

/** All hosts can hold everything: it is the sizes of pools that are judged, not the packing of memory. */
const roomy = (workload: Workload): Workload => ({
  ...workload,
  devices: workload.devices.map(device => ({ ...device, memoryBytes: 1e15 })),
});

function judgeOne(family: string, workload: Workload, seed: number): Judged {
  const [ours, theirs] = [pooled(workload), nexus(workload)];
  const verdict = judgePlan(workload, ours, { seed });
  const nexusVerdict = judgePlan(workload, theirs, { seed });
  return {
    family,
    bound: lowerBound(workload).gpus,
    pooled: ours,
    verdict,
    atLess: judgePlan(workload, ours, { seed, load: 0.9 }),
    smallest: smallestPool(workload, seed).hosts,
    nexus: theirs,
    nexusVerdict,
    nexusServing: serves(nexusVerdict) ? theirs.gpus : nexusThatServes(workload, seed),
  };
}

function nexusThatServes(workload: Workload, seed: number): number {
  for (const by of RAISED.slice(1)) {
    const raised = { ...workload, sessions: workload.sessions.map(one => ({ ...one, rateHz: one.rateHz * by })) };
    const plan = nexus(raised);
    if (serves(judgePlan(workload, plan, { seed }))) return plan.gpus;
  }
  throw new Error(`Nexus's packing does not serve at ${RAISED.at(-1)} times the rates`);
}

const lineOf = ({ family, ...one }: Judged, i: number, { sessions }: Workload): string =>
  `${family} ${i}: ${sessions.length} sessions, bound ${one.bound.toFixed(2)}, smallest ${one.smallest}, ` +
  `pooled ${one.pooled.gpus} (${percent(one.verdict.goodShare)} ± ${percent(one.verdict.error)} good, worst ` +
  `${percent(one.verdict.worstShare)}, at 0.9 of the rates ${percent(one.atLess.goodShare)}), ` +
  `Nexus ${one.nexus.gpus} (${percent(one.nexusVerdict.goodShare)}), serving ${one.nexusServing}`;

const HEADER = [
  'family',
  'workloads',
  'bound',
  'smallest that serves',
  'pooled',
  'too small',
  'more than one too large',
  'worst session (mean)',
  '99 % at 0.9 of the rates',
  'Nexus',
  'Nexus serves 99 %',
  'Nexus at equal service',
  'pooled − that',
  'pooled is more',
];

function rowOf(name: string, all: readonly Judged[]): string[] {
  const mean = (of: (one: Judged) => number): number => all.reduce((sum, one) => sum + of(one), 0) / all.length;
  const share = (of: (one: Judged) => boolean): string =>
    percent(
      mean(one => (of(one) ? 1 : 0)),
      1,
    );
  const [ours, theirs] = [mean(one => one.pooled.gpus), mean(one => one.nexusServing)];
  return [
    name,
    String(all.length),
    mean(one => one.bound).toFixed(2),
    mean(one => one.smallest).toFixed(2),
    ours.toFixed(2),
    share(one => !serves(one.verdict)),
    share(one => one.pooled.gpus > one.smallest + 1),
    percent(
      mean(one => one.verdict.worstShare),
      1,
    ),
    share(one => one.atLess.goodShare >= GOOD),
    mean(one => one.nexus.gpus).toFixed(2),
    share(one => serves(one.nexusVerdict)),
    theirs.toFixed(2),
    `${(100 * (ours / theirs - 1)).toFixed(1)} %`,
    // Where the plan doesn't serve it has no equal service to compare.
    share(one => serves(one.verdict) && one.pooled.gpus > one.nexusServing),
  ];
}

const percent = (share: number, digits = 2): string => `${(100 * share).toFixed(digits)} %`;
