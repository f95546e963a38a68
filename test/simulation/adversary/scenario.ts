import { intBetween, seededRandom, type Random } from '../../../contracts/index.ts';
import { STORE_MOODS, type StoreMood } from './store.ts';

/** One fault, from `atMs` on for `forMs`; then it is undone, as everything is when the safety phase ends. Plain data. */
export type Fault = { readonly atMs: number; readonly forMs: number } & (
  | { readonly is: 'crash' | 'freeze' | 'disconnect'; readonly who: string }
  /** A device takes `factor` times as long as its profile says. */
  | { readonly is: 'slow'; readonly who: string; readonly factor: number }
  /** Nothing that `from` sends reaches `to`; the other way is open. */
  | { readonly is: 'cut'; readonly from: string; readonly to: string }
  /** Messages to `who` are lost or doubled with these probabilities, delayed, and overtake each other. */
  | {
      readonly is: 'weather';
      readonly who: string;
      readonly loss: number;
      readonly double: number;
      readonly delayMs: number;
      readonly lagMs: number;
    }
  | { readonly is: 'server-down' | 'storage-down' }
  /** The server loses its power: writes to buckets since `atMs` were acknowledged and are lost. */
  | { readonly is: 'power-loss' }
  | { readonly is: 'store'; readonly who: string; readonly mood: StoreMood }
  /** Whoever leads is cut off from storage and from the other allocators, and reaches all others: two may lead. */
  | { readonly is: 'schism' }
  /** What whoever leads says to hosts is held up meanwhile. It dies after its first order that is, and its successor may plan before that one comes. */
  | { readonly is: 'ghost' }
  /** Plans and orders that `who` hears, it hears again so much later. */
  | { readonly is: 'echo'; readonly who: string; readonly delayMs: number }
  /** Whoever leads dies when it comes to this phase. */
  | { readonly is: 'behead'; readonly phase: 'preparing' | 'committing' | 'draining' }
  /** A machine is taken away: it is drained, and dies `noticeMs` later. */
  | { readonly is: 'revoke'; readonly who: string; readonly noticeMs: number }
  | { readonly is: 'surge'; readonly factor: number }
  /** Meanwhile a query more is applied, or a new version of a model, or a model with its query is deleted. */
  | { readonly is: 'query' | 'version' | 'delete' }
);

/**
 * - `storm`  everything fails; then all heals, and it must converge
 * - `crash`  one host after the other dies, with capacity to spare and long budgets: nothing may be lost
 * - `moves`  hosts come and go in good order, models move all the time: nothing may be dropped or late
 */
export type Kind = 'storm' | 'crash' | 'moves';

/**
 * What a scenario has beside cameras and plain queries:
 * - `durable`  frames that are stored, and a query that must answer each of them
 * - `infer`    somebody who asks one-off questions
 * - `group`    models that share a prefix, in mixed batches
 * - `film`     samplers that read streams
 */
export const EXTRAS = ['durable', 'infer', 'group', 'film'] as const;
export type Extra = (typeof EXTRAS)[number];

/** A whole run follows from it. Plain data: what is printed can be read back. */
export interface Scenario {
  readonly seed: number;
  readonly kind: Kind;
  readonly hosts: number;
  readonly routers: number;
  readonly batchers: number;
  readonly allocators: number;
  /** Only with the extra `film`. */
  readonly samplers: number;
  readonly extras: readonly Extra[];
  readonly streams: number;
  readonly rateHz: number;
  readonly memoryMB: number;
  /** Clocks run at rates in 1 ± this. */
  readonly skew: number;
  /** End of the safety phase. */
  readonly healAtMs: number;
  readonly faults: readonly Fault[];
}

export const FIRST_FAULT_MS = 5000;

export const idsOf = (role: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${role}-${i + 1}`);

export const actorsOf = (
  scenario: Pick<Scenario, 'hosts' | 'routers' | 'batchers' | 'allocators' | 'samplers'>,
): string[] => [
  ...idsOf('gpu', scenario.hosts),
  ...idsOf('router', scenario.routers),
  ...idsOf('batcher', scenario.batchers),
  ...idsOf('allocator', scenario.allocators),
  ...idsOf('sampler', scenario.samplers),
];

const pick = <T>(random: Random, values: readonly T[]): T => values[intBetween(random, 0, values.length - 1)]!;
const between = (random: Random, min: number, max: number): number => Math.round(min + (max - min) * random.next());

/** Dice of their own: the faults of a seed don't depend on them. Two in three seeds have at least one. */
function extrasOf(seed: number): { extras: Extra[]; samplers: number } {
  const random = seededRandom(seed + 0x5eed);
  const extras = EXTRAS.filter(() => random.next() < 0.25);
  return { extras, samplers: extras.includes('film') ? intBetween(random, 1, 2) : 0 };
}

/** The scenario of a seed: eight in ten are storms, unless a kind is asked for. */
export function scenarioOf(seed: number, wanted?: Kind): Scenario {
  const random = seededRandom(seed);
  const dice = random.next();
  const kind = wanted ?? (dice < 0.8 ? 'storm' : dice < 0.9 ? 'crash' : 'moves');
  const size = {
    hosts: intBetween(random, kind === 'storm' ? 2 : 3, 4),
    routers: intBetween(random, 1, 2),
    batchers: intBetween(random, 1, 2),
    allocators: intBetween(random, 2, 3),
    ...extrasOf(seed),
  };
  const healAtMs = FIRST_FAULT_MS + between(random, 5000, 12_000);
  const streams = intBetween(random, 1, kind === 'storm' ? 3 : 2);
  const facts = { seed, kind, ...size, streams, rateHz: kind === 'moves' ? 2 : pick(random, [2, 4, 6]), healAtMs };
  const memoryMB = kind === 'storm' ? pick(random, [600, 1000, 4000]) : 4000;
  const skew = kind === 'storm' ? pick(random, [0, 0.01, 0.05]) : 0.01;
  const faults = FAULTS_OF[kind](random, facts).toSorted((a, b) => a.atMs - b.atMs);
  return { ...facts, memoryMB, skew, faults };
}

const PROVOCATIONS = 14;

/** A storm of these faults alone, and many of them. */
export function provocationOf(seed: number, kinds: readonly Fault['is'][], extras: readonly Extra[] = []): Scenario {
  const plain = scenarioOf(seed, 'storm');
  const random = seededRandom(seed);
  const faults: Fault[] = [];
  while (faults.length < PROVOCATIONS) {
    const atMs = between(random, FIRST_FAULT_MS, plain.healAtMs);
    const fault = stormFault(random, plain, { atMs, forMs: between(random, 200, pick(random, [1000, 4000, 8000])) });
    if (kinds.includes(fault.is)) faults.push(fault);
  }
  return { ...plain, samplers: 0, extras, faults: faults.toSorted((a, b) => a.atMs - b.atMs) };
}

type Facts = Omit<Scenario, 'memoryMB' | 'skew' | 'faults'>;

const FAULTS_OF: Record<Kind, (random: Random, facts: Facts) => Fault[]> = {
  storm: (random, facts) =>
    Array.from({ length: intBetween(random, 3, 14) }, () => {
      const atMs = between(random, FIRST_FAULT_MS, facts.healAtMs);
      return stormFault(random, facts, { atMs, forMs: between(random, 200, pick(random, [1000, 4000, 8000])) });
    }),
  crash: (random, { hosts, healAtMs }) => {
    const faults: Fault[] = [];
    for (let atMs = FIRST_FAULT_MS; atMs < healAtMs; atMs += 6000) {
      const who = `gpu-${(faults.length % hosts) + 1}`;
      faults.push({ is: 'crash', who, atMs: atMs + between(random, 0, 1000), forMs: 4000 });
    }
    return faults;
  },
  moves: (random, { hosts, healAtMs }) => {
    const faults: Fault[] = [];
    for (let atMs = FIRST_FAULT_MS; atMs < healAtMs; atMs += 5000) {
      const who = `gpu-${((faults.length + between(random, 0, 1)) % hosts) + 1}`;
      faults.push({ is: 'revoke', who, noticeMs: 60_000, atMs, forMs: 4000 });
    }
    return faults;
  },
};

function stormFault(random: Random, facts: Facts, when: { atMs: number; forMs: number }): Fault {
  const actors = actorsOf(facts);
  const anyone = (): string => pick(random, actors);
  const host = (): string => pick(random, idsOf('gpu', facts.hosts));
  const kinds: (() => Fault)[] = [
    () => ({ ...when, is: 'crash', who: anyone() }),
    () => ({ ...when, is: 'crash', who: anyone() }),
    () => ({ ...when, is: 'freeze', who: anyone() }),
    () => ({ ...when, is: 'freeze', who: anyone() }),
    () => ({ ...when, is: 'disconnect', who: anyone() }),
    () => ({ ...when, is: 'slow', who: host(), factor: pick(random, [2, 5, 10]) }),
    () => ({ ...when, is: 'cut', from: anyone(), to: anyone() }),
    () => ({ ...when, is: 'cut', from: anyone(), to: pick(random, ['*', anyone()]) }),
    () => ({ ...when, is: 'weather', who: pick(random, ['*', anyone()]), ...badWeather(random) }),
    () => ({ ...when, is: 'weather', who: pick(random, ['*', anyone()]), ...badWeather(random) }),
    () => ({ ...when, is: 'server-down', forMs: Math.min(when.forMs, 3000) }),
    () => ({ ...when, is: 'storage-down' }),
    () => ({ ...when, is: 'store', who: anyone(), mood: pick(random, STORE_MOODS) }),
    () => ({
      ...when,
      is: 'store',
      who: `allocator-${intBetween(random, 1, facts.allocators)}`,
      mood: pick(random, STORE_MOODS),
    }),
    () => ({ ...when, is: 'power-loss', forMs: Math.min(when.forMs, 3000) }),
    () => ({ ...when, is: 'schism', forMs: between(random, 4000, 10_000) }),
    () => ({ ...when, is: 'ghost', forMs: between(random, 4000, 8000) }),
    () => ({ ...when, is: 'echo', who: pick(random, ['*', anyone()]), delayMs: between(random, 100, 6000) }),
    () => ({ ...when, is: 'behead', phase: pick(random, ['preparing', 'committing', 'draining'] as const) }),
    () => ({ ...when, is: 'revoke', who: host(), noticeMs: between(random, 500, 5000) }),
    () => ({ ...when, is: 'surge', factor: pick(random, [0.2, 3, 6]) }),
    () => ({ ...when, is: pick(random, ['query', 'version', 'delete'] as const) }),
  ];
  return pick(random, kinds)();
}

const badWeather = (random: Random) => ({
  loss: pick(random, [0, 0.02, 0.2]),
  double: pick(random, [0, 0.05, 0.5]),
  delayMs: pick(random, [0, 2, 20, 200]),
  lagMs: pick(random, [0, 0, 5, 50]),
});
