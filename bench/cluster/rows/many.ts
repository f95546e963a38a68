import { lowerBound, type Workload } from '../../../allocator/capacity/index.ts';
import { curvesOf } from '../../../allocator/index.ts';
import { exponential, intBetween, seededRandom, type Random } from '../../../contracts/index.ts';
import { CURVES, modelLike, type CurveName } from '../curves.ts';
import type { Lab, Point, Setting } from '../lab.ts';
import type { Cell, Group, RowResult, Target } from '../results.ts';
import { missingOf, NEXUS, OURS, under, type System } from '../systems.ts';

const WORKLOADS = 5;
const SESSIONS = [10, 40] as const;
const OBJECTIVES_MS = [50, 500] as const;
const GPUS = 10;
const HOSTS_MAX = 24;
/** Times the rates, for which GPUs are given out: more than any number of them that is tried can do, so that none is left idle. */
const PLANNED = 3;
const CHOICE: readonly CurveName[] = ['resnet50', 'ssd', 'googlenet-car', 'vgg-face', 'efficientnet-b0'];
/** It should not be memory that counts here. */
const MEMORY_MB = 1e6;
/** Shorter than elsewhere: a GPU more or less is 10 %, which shows sooner. */
const LASTS = { objectives: 8, warmup: 5 };
const SYSTEMS = [OURS, NEXUS];

/** Sessions with a model each, objectives evenly spread on a logarithmic scale, rates exponential; about ten GPUs by 2ℓ(b) ≤ L. */
function randomSetting(random: Random, name: string): { setting: Setting; boundGpus: number } {
  const [least, most] = OBJECTIVES_MS;
  const sessions = Array.from({ length: intBetween(random, ...SESSIONS) }, (_, i) => ({
    name: `s${i + 1}`,
    curve: CHOICE[intBetween(random, 0, CHOICE.length - 1)]!,
    objectiveMs: Math.round(least * (most / least) ** random.next()),
    rateHz: exponential(random, 1),
  }));
  let workload = workloadOf(sessions);
  // Rates make batches and batches the bound, so one step of scaling isn't enough.
  for (let step = 0; step < 6; step++) {
    const factor = GPUS / lowerBound(workload).independentGpus;
    for (const session of sessions) session.rateHz *= factor;
    workload = workloadOf(sessions);
  }
  const setting: Setting = {
    name,
    lasts: LASTS,
    devices: [{ kind: 'emulated-gpu', count: 1, memoryMB: MEMORY_MB }],
    models: sessions.map(({ name, curve }) => modelLike(curve, name)),
    queries: sessions.map(({ name, objectiveMs, rateHz }) => ({
      name,
      streams: [name],
      objectiveMs,
      rateHz: PLANNED * rateHz,
      stages: { only: { model: name } },
    })),
    streams: sessions.map(({ name, rateHz }) => ({ name, rateHz })),
  };
  return { setting, boundGpus: lowerBound(workload).gpus };
}

interface Drawn {
  readonly name: string;
  readonly curve: CurveName;
  readonly objectiveMs: number;
  readonly rateHz: number;
}

function workloadOf(sessions: readonly Drawn[]): Workload {
  const profiles = sessions.map(({ name, curve }) => {
    const { alphaMs, betaMs, batchMax } = CURVES[curve];
    const points = Array.from({ length: batchMax }, (_, i) => {
      const meanMs = alphaMs * (i + 1) + betaMs;
      return { batch: i + 1, meanMs, stdMs: 0, p99Ms: meanMs, ephemeralBytes: 0, repeats: 0 };
    });
    const around = { preMs: 0, postMs: 0, loadMs: 0, persistentBytes: 0 };
    return { v: 1 as const, model: name, device: 'emulated-gpu', emulated: true, points, ...around };
  });
  return {
    devices: [
      { kind: 'emulated-gpu', count: Infinity, memoryBytes: 1e15, pricePerHour: 1, revocable: false, zone: 'one' },
    ],
    sessions: sessions.map(({ name, objectiveMs, rateHz }) => ({
      name,
      model: name,
      tenant: 'default',
      sloMs: objectiveMs,
      rateHz,
      rateVariation: 0,
      priority: 0,
      replicasMin: 1,
      query: undefined,
    })),
    prefixes: [],
    curves: curvesOf(profiles, () => undefined),
  };
}

type Criterion = (point: Point) => boolean;
const overall: Criterion = ({ badRate }) => badRate <= 0.01;
const each: Criterion = ({ clearlyBelow98 }) => clearlyBelow98 === 0;

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

export async function manyRow(lab: Lab): Promise<RowResult> {
  const [total, worst, own]: Cell[][] = [[], [], []];
  const workloads = lab.options.quick ? 3 : WORKLOADS;
  for (let w = 1; w <= workloads; w++) {
    const { setting, boundGpus } = randomSetting(seededRandom(1000 + w), `random ${w}`);
    const x = `${w} (${setting.queries.length} sessions)`;
    for (const cells of [total!, worst!, own!]) cells.push({ x, system: 'bound', value: boundGpus });
    for (const system of SYSTEMS) {
      const missing = missingOf(system);
      if (missing !== undefined) {
        for (const cells of [total!, worst!, own!])
          cells.push({ x, system: system.id, value: null, note: `not run: ${missing}` });
        continue;
      }
      const run = (count: number, allGiven: boolean): Promise<Point> => {
        const devices = [{ ...setting.devices[0]!, count }];
        const queries = allGiven
          ? setting.queries
          : setting.queries.map(query => ({ ...query, rateHz: query.rateHz! / PLANNED }));
        return lab.point({ ...under(setting, system), devices, queries, allGiven }, 1, 1);
      };
      const given = (hosts: number): Promise<Point> => run(hosts, true);
      const needed = await gpusNeeded(given, overall, Math.ceil(boundGpus) + (system === NEXUS ? 2 : 1));
      total!.push(cell(x, system, needed));
      worst!.push(cell(x, system, await gpusNeeded(given, each, needed ?? HOSTS_MAX)));
      const { gpusUsed, badRate } = await run(HOSTS_MAX, false);
      const note = badRate <= 0.01 ? {} : { note: `${(100 * badRate).toFixed(1)} % bad` };
      own!.push({ x, system: system.id, value: gpusUsed, ...note });
    }
  }
  const groups: Group[] = [
    { name: 'fewest that serve 99 % of all', cells: total! },
    { name: 'fewest that serve 98 % of every session', cells: worst! },
    { name: 'that the planner takes by itself', cells: own! },
  ].map(({ name, cells }) => ({ name, cells: [...cells, ...meansOf(cells)] }));
  return {
    id: 'many',
    title: 'Many sessions: GPUs needed',
    about: [
      `Random workloads of ${SESSIONS.join(' to ')} sessions with a model and an objective of their own (${OBJECTIVES_MS.join(' to ')} ms), about ${GPUS} emulated GPUs by 2ℓ(b) ≤ L; memory is ample.`,
      `The fewest GPUs, all given out, with which the whole simulated cluster serves 99 % of all frames, or 98 % of every session's (a session counts as worse when it is by two standard errors); and how many each planner takes by itself of ${HOSTS_MAX}.`,
      'Bound: of the allocator’s library, with batches as large as late binding allows and devices busy all of the time; a real number. Curves as elsewhere, those of SSD and GoogLeNet assumed.',
    ],
    unit: 'GPUs',
    xName: 'workload',
    systems: [...SYSTEMS, { id: 'bound', title: 'lower bound' }],
    ratios: [
      ['ours', 'nexus'],
      ['bound', 'ours'],
    ],
    groups,
    targets: [fewer(groups[0]!, 'for 99 % overall', 0.9), fewer(groups[1]!, 'for 98 % of every session', 0.8)],
    paper: '11.7 GPUs used where the lower bound is 9.8 (84 %).',
  };
}

const cell = (x: string, { id }: System, value: number | undefined): Cell =>
  value === undefined ? { x, system: id, value: null, note: `more than ${HOSTS_MAX}` } : { x, system: id, value };

const MEAN = 'mean';

function meansOf(cells: readonly Cell[]): Cell[] {
  return [...SYSTEMS.map(({ id }) => id), 'bound'].map(system => {
    const values = cells.filter(one => one.system === system).map(({ value }) => value);
    if (values.some(value => value === null))
      return { x: MEAN, system, value: null, note: 'not run: not for all workloads' };
    return { x: MEAN, system, value: values.reduce<number>((sum, value) => sum + value!, 0) / values.length };
  });
}

function fewer({ cells }: Group, how: string, most: number): Target {
  const of = (id: string): number | null | undefined => cells.find(one => one.x === MEAN && one.system === id)?.value;
  const [ours, nexus] = [of(OURS.id), of(NEXUS.id)];
  const what = `random workloads, GPUs ${how}: of Nexus's`;
  const target = `≤ ${most.toFixed(2)}`;
  if (!ours || !nexus) return { what, target, reached: '', met: null };
  return { what, target, reached: (ours / nexus).toFixed(2), met: ours / nexus <= most };
}
