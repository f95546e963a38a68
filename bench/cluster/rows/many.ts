import type { Lab, Point } from '../lab.ts';
import type { Cell, Group, RowResult, Target } from '../results.ts';
import { missingOf, NEXUS, OURS, under, type System } from '../systems.ts';
import { GPUS, OBJECTIVES_MS, PLANNED, randomSetting, SESSIONS } from './random-workload.ts';

const WORKLOADS = { full: 12, quick: 3 };
const HOSTS_MAX = 24;
const LOAD_STEP = 1.015;
const STEPS_MAX = 32;
const SYSTEMS = [OURS, NEXUS];
const BOUND = 'bound';

type Criterion = (point: Point) => boolean;
const CRITERIA: readonly { name: string; serves: Criterion; most: number; target: string }[] = [
  {
    name: '99 % of all',
    serves: ({ badRate }) => badRate <= 0.01,
    most: 0.9,
    target: 'for 99 % overall',
  },
  {
    name: '98 % of every session',
    serves: ({ clearlyBelow98 }) => clearlyBelow98 === 0,
    most: 0.8,
    target: 'for 98 % of every session',
  },
];
const whole = (name: string): string => `fewest that serve ${name}`;
const finer = (name: string): string => `to serve ${name}, for one unit of load`;
const OWN = 'that the planner takes by itself';

/** The fewest GPUs, all given out, that serve; undefined: not even the most do. */
async function gpusNeeded(
  run: (hosts: number) => Promise<Point>,
  serves: Criterion,
  from: number,
): Promise<number | undefined> {
  let hosts = from;
  if (serves(await run(hosts))) {
    while (hosts > 1 && serves(await run(hosts - 1))) hosts--;
    return hosts;
  }
  while (++hosts <= HOSTS_MAX) if (serves(await run(hosts))) return hosts;
  return undefined;
}

/** How often the load can be {@link LOAD_STEP} times as high until it isn't served any more: in steps that double, then by halves. */
async function stepsOfLoad(serves: (steps: number) => Promise<boolean>): Promise<number> {
  let [low, high] = [0, 1];
  while (high < STEPS_MAX && (await serves(high))) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (await serves(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** What one system needs for one workload, by name of the group. */
async function needsOf(lab: Lab, i: number, system: System): Promise<[string, Omit<Cell, 'x' | 'system'>][]> {
  const missing = missingOf(system);
  const { setting, boundGpus } = randomSetting(i);
  if (missing !== undefined) {
    const names = CRITERIA.flatMap(({ name }) => [whole(name), finer(name)]);
    return [...names, OWN].map(name => [name, { value: null, note: `not run: ${missing}` }]);
  }
  const given = (count: number, load = 1): Promise<Point> => {
    const devices = [{ ...setting.devices[0]!, count }];
    return lab.point({ ...under(setting, system), devices, allGiven: true }, 1, load);
  };
  const needs: [string, Omit<Cell, 'x' | 'system'>][] = [];
  let from = Math.ceil(boundGpus) + (system === NEXUS ? 2 : 1);
  for (const { name, serves } of CRITERIA) {
    const needed = await gpusNeeded(given, serves, from);
    from = needed ?? HOSTS_MAX;
    if (needed === undefined) {
      const none = { value: null, note: `more than ${HOSTS_MAX}` };
      needs.push([whole(name), none], [finer(name), none]);
      continue;
    }
    const loadAfter = (steps: number): number => Number((LOAD_STEP ** steps).toPrecision(6));
    const steps = await stepsOfLoad(async one => serves(await given(needed, loadAfter(one))));
    needs.push([whole(name), { value: needed }], [finer(name), { value: needed / loadAfter(steps) }]);
  }
  const queries = setting.queries.map(query => ({ ...query, rateHz: query.rateHz! / PLANNED }));
  const devices = [{ ...setting.devices[0]!, count: HOSTS_MAX }];
  const { gpusUsed, badRate } = await lab.point({ ...under(setting, system), devices, queries }, 1, 1);
  needs.push([OWN, { value: gpusUsed, ...(badRate <= 0.01 ? {} : { note: `${(100 * badRate).toFixed(1)} % bad` }) }]);
  return needs;
}

export async function manyRow(lab: Lab): Promise<RowResult> {
  const cells = new Map<string, Cell[]>(
    [...CRITERIA.map(({ name }) => whole(name)), OWN, ...CRITERIA.map(({ name }) => finer(name))].map(name => [
      name,
      [],
    ]),
  );
  for (let i = 1; i <= (lab.options.quick ? WORKLOADS.quick : WORKLOADS.full); i++) {
    const { setting, boundGpus } = randomSetting(i);
    const x = `${i} (${setting.queries.length} sessions)`;
    for (const own of cells.values()) own.push({ x, system: BOUND, value: boundGpus });
    for (const system of SYSTEMS)
      for (const [name, cell] of await needsOf(lab, i, system))
        cells.get(name)!.push({ x, system: system.id, ...cell });
  }
  const groups: Group[] = [...cells].map(([name, own]) => ({ name, cells: [...own, ...meansOf(own)] }));
  const groupOf = (name: string): Group => groups.find(group => group.name === name)!;
  return {
    id: 'many',
    title: 'Many sessions: GPUs needed',
    about: [
      `Random workloads of ${SESSIONS.join(' to ')} sessions with a model and an objective of their own (${OBJECTIVES_MS.join(' to ')} ms), about ${GPUS} emulated GPUs by 2ℓ(b) ≤ L; memory is ample.`,
      `The fewest GPUs, all given out, with which the whole simulated cluster serves 99 % of all frames, or 98 % of every session's (a session counts as worse when it is by two standard errors); and how many each planner takes by itself of ${HOSTS_MAX}.`,
      `Whole GPUs are coarse near ${GPUS}. So also GPUs for one unit of load: those over the highest load that they serve, in steps of ${((LOAD_STEP - 1) * 100).toFixed(1)} %, where 1 is the workload as it was drawn.`,
      'Bound: of the allocator’s library, with batches as large as late binding allows and devices busy all of the time; a real number. Curves as elsewhere, those of SSD and GoogLeNet assumed.',
    ],
    unit: 'GPUs',
    xName: 'workload',
    systems: [...SYSTEMS, { id: BOUND, title: 'lower bound' }],
    ratios: [
      ['ours', 'nexus'],
      ['bound', 'ours'],
    ],
    groups,
    targets: CRITERIA.map(({ name, target, most }) => fewer(groupOf(whole(name)), target, most)),
    remarks: CRITERIA.map(
      ({ name, target }) =>
        `GPUs for one unit of load, ${target}: ${ratioOf(groupOf(finer(name)))?.toFixed(3) ?? '?'} of Nexus's.`,
    ),
    paper: '11.7 GPUs used where the lower bound is 9.8 (84 %).',
  };
}

const MEAN = 'mean';

function meansOf(cells: readonly Cell[]): Cell[] {
  return [...SYSTEMS.map(({ id }) => id), BOUND].map(system => {
    const values = cells.filter(one => one.system === system).map(({ value }) => value);
    if (values.some(value => value === null))
      return { x: MEAN, system, value: null, note: 'not run: not for all workloads' };
    return { x: MEAN, system, value: values.reduce<number>((sum, value) => sum + value!, 0) / values.length };
  });
}

/** Ours over Nexus's, means; undefined: one was not found for all workloads. */
function ratioOf({ cells }: Group): number | undefined {
  const of = (id: string): number | null | undefined => cells.find(one => one.x === MEAN && one.system === id)?.value;
  const [ours, nexus] = [of(OURS.id), of(NEXUS.id)];
  return ours && nexus ? ours / nexus : undefined;
}

function fewer(group: Group, how: string, most: number): Target {
  const ratio = ratioOf(group);
  const what = `random workloads, GPUs ${how}: of Nexus's`;
  const target = `≤ ${most.toFixed(2)}`;
  if (ratio === undefined) return { what, target, reached: '', met: null };
  return { what, target, reached: ratio.toFixed(2), met: ratio <= most };
}
