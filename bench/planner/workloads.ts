import {
  lowerBound,
  type DeviceOffer,
  type PrefixGroup,
  type SessionDemand,
  type Workload,
} from '../../allocator/capacity/index.ts';
import { curvesOf, type Curves } from '../../allocator/index.ts';
import { exponential, intBetween, type Profile, type Random } from '../../contracts/index.ts';
import { readProfiles } from '../../deploy/plan/profiles.ts';

/** A family of random workloads. */
export interface Family {
  readonly name: string;
  readonly sessions: readonly [min: number, max: number];
  /** Objectives, as multiples of the time of one input. */
  readonly slack: readonly [min: number, max: number];
  /** Rates before scaling: the same for all, exponential, or with a heavy tail (Pareto, α = 1.1). */
  readonly rates: 'even' | 'exponential' | 'heavy-tailed';
  /** A model of its own for each session, as after transfer learning; else a few models for all. */
  readonly ownModels: boolean;
  readonly kinds: readonly string[];
  /** Sessions come in chains of a detector and two that look at what it found, 2 and 0.6 of it each. */
  readonly queries?: boolean;
  /** So many sessions behind each prefix. */
  readonly behindPrefix?: number;
}

const GTX = ['gtx-1080-ti'];
export const FAMILIES: readonly Family[] = [
  { name: 'few, tight', sessions: [2, 8], slack: [2.5, 5], rates: 'exponential', ownModels: true, kinds: GTX },
  { name: 'few, loose', sessions: [2, 8], slack: [10, 40], rates: 'exponential', ownModels: true, kinds: GTX },
  { name: 'many, tight', sessions: [30, 120], slack: [2.5, 5], rates: 'exponential', ownModels: true, kinds: GTX },
  { name: 'many, loose', sessions: [30, 120], slack: [10, 40], rates: 'exponential', ownModels: true, kinds: GTX },
  { name: 'heavy-tailed', sessions: [10, 80], slack: [3, 20], rates: 'heavy-tailed', ownModels: true, kinds: GTX },
  { name: 'shared models', sessions: [10, 80], slack: [3, 20], rates: 'exponential', ownModels: false, kinds: GTX },
  {
    name: 'two kinds',
    sessions: [5, 40],
    slack: [3, 20],
    rates: 'exponential',
    ownModels: true,
    kinds: [...GTX, 'tesla-t4'],
  },
];

/** Those whose plans are judged on simulated devices: of one kind. */
export const JUDGED_FAMILIES: readonly Family[] = [
  ...FAMILIES.filter(({ kinds }) => kinds.length === 1),
  {
    name: 'queries',
    sessions: [9, 45],
    slack: [3, 20],
    rates: 'exponential',
    ownModels: true,
    kinds: GTX,
    queries: true,
  },
  {
    name: 'prefix groups',
    sessions: [8, 48],
    slack: [3, 20],
    rates: 'exponential',
    ownModels: true,
    kinds: GTX,
    behindPrefix: 8,
  },
];

/** About $0.50 and $0.35 an hour: the second kind is a little dearer for what it does. */
const OFFERS: Readonly<Record<string, DeviceOffer>> = {
  'gtx-1080-ti': offer('gtx-1080-ti', 11_264e6, 0.5),
  'tesla-t4': offer('tesla-t4', 16_384e6, 0.35),
};

function offer(kind: string, memoryBytes: number, pricePerHour: number): DeviceOffer {
  return { kind, count: Infinity, memoryBytes, pricePerHour, revocable: false, zone: 'default' };
}

/** The curves of `examples/plans/emulated.csv`, where it says what is measured and what assumed. */
export async function emulatedProfiles(): Promise<readonly Profile[]> {
  const { profiles, problems } = await readProfiles('examples/plans/emulated.csv', process.cwd());
  const error = problems.find(problem => problem.severity === 'error');
  if (error) throw new Error(`${error.file}: ${error.detail}`);
  return profiles;
}

const between = (random: Random, [min, max]: readonly [number, number]): number => min + (max - min) * random.next();

/** A workload of a family whose bound on independent devices is about `gpus`. */
export function randomWorkload(
  family: Family,
  gpus: number,
  base: readonly Profile[],
  random: Random,
  ratesHz?: readonly number[],
): Workload {
  const onAll = [...new Set(base.map(profile => profile.model))].filter(model =>
    family.kinds.every(kind => base.some(profile => profile.model === model && profile.device === kind)),
  );
  const count = intBetween(random, ...family.sessions);
  const profiles = [...base];
  const sessions = Array.from({ length: count }, (_, i): SessionDemand => {
    const origin = originOf(family, onAll, i, random);
    const model = family.ownModels ? `${origin}-${i}` : origin;
    const own = base.filter(profile => profile.model === origin && family.kinds.includes(profile.device));
    if (family.ownModels) profiles.push(...own.map(profile => ({ ...profile, model })));
    const oneMs = Math.max(...own.map(({ points, preMs, postMs }) => points[0]!.meanMs + preMs + postMs));
    const sloMs = Math.max(10, oneMs * between(random, family.slack));
    const rateHz = ratesHz ? ratesHz[intBetween(random, 0, ratesHz.length - 1)]! : rateOf(family, random);
    return { ...NEUTRAL, name: `s${String(i).padStart(6, '0')}`, model, sloMs, rateHz };
  });
  if (family.queries) chain(sessions);
  const prefixes = family.behindPrefix ? prefixesOf(sessions, family.behindPrefix, base, profiles) : [];
  const curves: Curves = curvesOf(profiles, () => undefined);
  const devices = family.kinds.map(kind => OFFERS[kind]!);
  let workload: Workload = { devices, sessions, prefixes, curves };
  // Rates make batches and batches the bound, so one step of scaling isn't enough.
  for (let step = 0; step < SCALING_STEPS; step++) {
    const factor = gpus / lowerBound(workload).independentGpus;
    workload = { ...workload, sessions: workload.sessions.map(one => ({ ...one, rateHz: one.rateHz * factor })) };
  }
  return workload;
}

const SCALING_STEPS = 6;
const NEUTRAL = { tenant: 'default', rateVariation: 0, priority: 0, replicasMin: 1, query: undefined };

function rateOf({ rates }: Family, random: Random): number {
  if (rates === 'even') return 1;
  return rates === 'exponential' ? exponential(random, 1) : (1 - random.next()) ** (-1 / 1.1);
}

const STAGES = ['ssd', 'googlenet-car', 'vgg-face'] as const;
const FANOUT = [1, 2, 0.6] as const;

function originOf(family: Family, all: readonly string[], index: number, random: Random): string {
  const any = all[intBetween(random, 0, all.length - 1)]!;
  if (family.behindPrefix) return 'resnet50';
  return family.queries ? STAGES[index % STAGES.length]! : any;
}

/** Each three are the stages of a query; what is left over at the end stays for itself. */
function chain(sessions: SessionDemand[]): void {
  for (let first = 0; first + 2 < sessions.length; first += 3) {
    for (let stage = 0; stage < 3; stage++) {
      const rateHz = sessions[first]!.rateHz * FANOUT[stage]!;
      sessions[first + stage] = { ...sessions[first + stage]!, rateHz, query: `q${first}` };
    }
  }
}

/** 95 % of the slope and 90 % of the rest of ResNet-50 are the prefix, what remains is a suffix of each session's own. */
function prefixesOf(
  sessions: readonly SessionDemand[],
  size: number,
  base: readonly Profile[],
  profiles: Profile[],
): PrefixGroup[] {
  const whole = base.find(profile => profile.model === 'resnet50' && profile.device === GTX[0])!;
  const part = (model: string, slope: number, fixed: number): Profile => {
    const [one, many] = [whole.points[0]!, whole.points.at(-1)!];
    const alphaMs = (many.meanMs - one.meanMs) / (many.batch - one.batch);
    const betaMs = one.meanMs - alphaMs * one.batch;
    const points = whole.points.map(point => {
      const meanMs = slope * alphaMs * point.batch + fixed * betaMs;
      return { ...point, meanMs, p99Ms: meanMs };
    });
    return { ...whole, model, points, preMs: slope > 0.5 ? whole.preMs : 0, postMs: slope > 0.5 ? 0 : whole.postMs };
  };
  const groups: PrefixGroup[] = [];
  for (let first = 0; first < sessions.length; first += size) {
    const prefix = `trunk-${first}`;
    const members = sessions.slice(first, first + size);
    profiles.push(part(prefix, 0.95, 0.9), ...members.map(({ name }) => part(`head-${name}`, 0.05, 0.1)));
    const suffixes = new Map(members.map(({ name }) => [name, `head-${name}`]));
    groups.push({ members: members.map(({ name }) => name), prefix, suffixes });
  }
  return groups;
}

/** Some of the rates changed by a factor around 1: `share` of the sessions, each by up to `amount`. */
export function disturbed(workload: Workload, share: number, amount: number, random: Random): Workload {
  const sessions = workload.sessions.map(session =>
    random.next() < share ? { ...session, rateHz: session.rateHz * (1 + amount * (2 * random.next() - 1)) } : session,
  );
  return { ...workload, sessions };
}
