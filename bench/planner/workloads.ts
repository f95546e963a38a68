import { lowerBound, type DeviceOffer, type SessionDemand, type Workload } from '../../allocator/capacity/index.ts';
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
export function randomWorkload(family: Family, gpus: number, base: readonly Profile[], random: Random): Workload {
  const onAll = [...new Set(base.map(profile => profile.model))].filter(model =>
    family.kinds.every(kind => base.some(profile => profile.model === model && profile.device === kind)),
  );
  const count = intBetween(random, ...family.sessions);
  const profiles = [...base];
  const sessions = Array.from({ length: count }, (_, i): SessionDemand => {
    const origin = onAll[intBetween(random, 0, onAll.length - 1)]!;
    const model = family.ownModels ? `${origin}-${i}` : origin;
    const own = base.filter(profile => profile.model === origin && family.kinds.includes(profile.device));
    if (family.ownModels) profiles.push(...own.map(profile => ({ ...profile, model })));
    const oneMs = Math.max(...own.map(({ points, preMs, postMs }) => points[0]!.meanMs + preMs + postMs));
    const sloMs = Math.max(10, oneMs * between(random, family.slack));
    return { ...NEUTRAL, name: `s${String(i).padStart(6, '0')}`, model, sloMs, rateHz: rateOf(family, random) };
  });
  const curves: Curves = curvesOf(profiles, () => undefined);
  const devices = family.kinds.map(kind => OFFERS[kind]!);
  let workload: Workload = { devices, sessions, prefixes: [], curves };
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

/** Some of the rates changed by a factor around 1: `share` of the sessions, each by up to `amount`. */
export function disturbed(workload: Workload, share: number, amount: number, random: Random): Workload {
  const sessions = workload.sessions.map(session =>
    random.next() < share ? { ...session, rateHz: session.rateHz * (1 + amount * (2 * random.next() - 1)) } : session,
  );
  return { ...workload, sessions };
}
