import {
  DEFAULT_TENANT,
  seededRandom,
  type Profile,
  type QueryDocument,
  type Random,
  type StoredModel,
} from '../../contracts/index.ts';
import { Arrivals, bursts, even, poisson, repeated, steady, surging, type Rates } from './arrivals.ts';
import { boxCount, modelOf, preparedLate, profilesOfParts } from './models.ts';
import { configOf, type OwnPolicies } from './policies.ts';
import type { FaultEntry, QueryEntry, ScenarioDocument, StreamEntry, SurgeEntry } from './schema.ts';

/** Rates of a trace file, by its path in the scenario. Times grow from 0; it begins again after `periodMs`. */
export interface Trace {
  readonly steps: readonly { readonly atMs: number; readonly rateHz?: number; readonly factor?: number }[];
  readonly periodMs: number;
}

/** Everything that the scenario file names, read. */
export interface Sources {
  /** By name of the model in the profiles, then by kind of device. */
  readonly profiles: readonly Profile[];
  readonly traces: ReadonlyMap<string, Trace>;
  readonly own?: OwnPolicies;
}

/** A stream of frames: a name and when they come. */
export interface Camera {
  readonly tenant: string;
  readonly stream: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** Mean frames a second, surges left out. */
  readonly rateHz: number;
  /** Begins anew with each call; the same seed gives the same arrivals. */
  arrivals(random: Random): Arrivals;
}

export interface HostEntry {
  readonly name: string;
  readonly kind: string;
  readonly memoryMB: number;
  readonly cores: number;
}

/** A scenario as actors, documents and arrivals. */
export interface Scenario {
  readonly name: string;
  readonly seed: number;
  readonly durationMs: number;
  readonly warmupMs: number;
  readonly hosts: readonly HostEntry[];
  readonly models: readonly StoredModel[];
  /** For each model and kind of device: what devices take. Times of all parts follow from them. */
  readonly profiles: readonly Profile[];
  /** As hosts would measure them, prefixes and suffixes too: without overlap a device's time includes the preparation of its inputs. */
  readonly toldProfiles: readonly Profile[];
  readonly queries: readonly QueryDocument[];
  readonly cameras: readonly Camera[];
  readonly network: { readonly oneWayMs: number; readonly jitterMs: number };
  readonly frameBytes: number;
  readonly routers: number;
  readonly batchers: number;
  /** By actor. */
  readonly config: Readonly<Record<'query-router' | 'prefix-batcher' | 'gpu-host' | 'allocator', object>>;
  readonly faults: readonly FaultEntry[];
  /** Policies of a user's. */
  readonly own: OwnPolicies;
}

const DEFAULTS = { warmupS: 5, memoryMB: 8192, cores: 4 };

/** A document that was found right, with what it names. `rateFactor`: times all rates, the declared ones too. */
export function compile(
  { document, sources, name }: { document: ScenarioDocument; sources: Sources; name: string },
  rateFactor = 1,
): Scenario {
  const { seed = 1, durationS, warmupS = DEFAULTS.warmupS, network = {}, policies = {}, config = {} } = document;
  const chosen = configOf(policies);
  const hosts = hostsOf(document);
  const coresOf = new Map(hosts.map(({ kind, cores }) => [kind, cores]));
  const kinds = [...new Set(document.devices.map(({ kind }) => kind))];
  const models = document.models.map(entry => modelOf(entry, kinds, document.deviation ?? 0, sources));
  const cameras = document.streams.flatMap(stream => camerasOf(stream, document.surges ?? [], sources, rateFactor));
  const profiles = models.flatMap(({ profiles }) => profiles);
  const told = models.flatMap(({ stored, profiles }) =>
    profiles.flatMap(profile => [profile, ...profilesOfParts(stored, profile)]),
  );
  const gpuHost = { ...chosen['gpu-host'], ...config['gpu-host'] };
  const overlaps = (gpuHost as { overlap?: boolean }).overlap ?? true;
  return {
    name: document.name ?? name,
    seed,
    durationMs: 1000 * durationS,
    warmupMs: 1000 * warmupS,
    hosts,
    models: models.map(({ stored }) => stored),
    profiles,
    toldProfiles: overlaps ? told : told.map(profile => preparedLate(profile, coresOf.get(profile.device)!)),
    queries: document.queries.map(query => queryOf(query, document, cameras, rateFactor)),
    cameras,
    network: { oneWayMs: network.oneWayMs ?? 0.2, jitterMs: network.jitterMs ?? 0 },
    frameBytes: document.frameBytes ?? 500,
    routers: document.routers ?? 1,
    batchers: document.batchers ?? 1,
    config: {
      'query-router': { ...chosen['query-router'], ...config['query-router'] },
      'prefix-batcher': { ...chosen['prefix-batcher'], ...config['prefix-batcher'] },
      'gpu-host': gpuHost,
      allocator: { ...chosen.allocator, ...config.allocator },
    },
    faults: document.faults ?? [],
    own: sources.own ?? {},
  };
}

/** gpu-1, gpu-2, … in the order of the devices. */
export function hostsOf(document: ScenarioDocument): HostEntry[] {
  const all = document.devices.flatMap(({ kind, count = 1, memoryMB = DEFAULTS.memoryMB, cores = DEFAULTS.cores }) =>
    Array.from({ length: count }, () => ({ kind, memoryMB, cores })),
  );
  return all.map((host, i) => ({ name: hostName(i + 1), ...host }));
}

export const hostName = (number: number): string => `gpu-${number}`;

function queryOf(
  entry: QueryEntry,
  document: ScenarioDocument,
  cameras: readonly Camera[],
  rateFactor: number,
): QueryDocument {
  const tenant = entry.tenant ?? DEFAULT_TENANT;
  const read = cameras.filter(camera => camera.tenant === tenant && reads(entry, camera.stream));
  const declared = read.reduce((sum, { rateHz }) => sum + rateHz, 0);
  const stages = Object.fromEntries(
    Object.entries(entry.stages).map(([name, stage]) => {
      const fanout = stage.fanout ?? fanoutOf(stage, entry, document);
      return [name, fanout === undefined ? stage : { ...stage, fanout }];
    }),
  );
  return {
    ...entry,
    kind: 'Query',
    tenant,
    rateHz: entry.rateHz === undefined ? declared : rateFactor * entry.rateHz,
    stages,
  };
}

/** As `streams` of a query reads: * matches any characters. */
export function reads({ streams = [] }: Pick<QueryEntry, 'streams'>, stream: string): boolean {
  return streams.some(pattern => {
    const parts = pattern.split('*').map(part => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`, 'u').test(stream);
  });
}

type Stage = QueryEntry['stages'][string];

/** Boxes that a stage takes of each result of the one before; undefined where that finds none. */
function fanoutOf({ from, labels, whole }: Stage, query: QueryEntry, document: ScenarioDocument): number | undefined {
  const parent = from === undefined ? undefined : query.stages[from];
  const boxes = document.models.find(model => model.name === parent?.model)?.boxes;
  if (boxes === undefined || whole) return undefined;
  if (labels === undefined || typeof boxes === 'number') return boxCount(boxes);
  return labels.reduce((sum, label) => sum + (boxes[label] ?? 0), 0);
}

function camerasOf(
  entry: StreamEntry,
  common: readonly SurgeEntry[],
  { traces }: Sources,
  rateFactor: number,
): Camera[] {
  const { name, tenant = DEFAULT_TENANT, count, fromS = 0, toS = Infinity } = entry;
  const names = count === undefined ? [name] : Array.from({ length: count }, (_, i) => `${name}-${i + 1}`);
  const surges = [...(entry.surges ?? []), ...common].map(({ fromS, toS, factor }) => {
    return { fromMs: 1000 * fromS, toMs: 1000 * toS, factor };
  });
  if (rateFactor !== 1) surges.push({ fromMs: 0, toMs: Infinity, factor: rateFactor });
  return names.map(stream => ({
    tenant,
    stream,
    fromMs: 1000 * fromS,
    toMs: 1000 * toS,
    rateHz: rateFactor * meanHz(entry, traces),
    arrivals: random => {
      const rates = ratesOf(entry, random, traces);
      const gap = entry.arrivals?.kind === 'constant' ? even(random) : poisson(random);
      return new Arrivals(surges.length === 0 ? rates : surging(rates, surges), gap);
    },
  }));
}

function ratesOf({ rateHz, arrivals }: StreamEntry, random: Random, traces: Sources['traces']): Rates {
  if (arrivals?.kind === 'bursty') {
    const { factor, burstS, everyS } = arrivals;
    return bursts({ rateHz, factor, burstMs: 1000 * burstS, everyMs: 1000 * everyS }, random);
  }
  if (arrivals?.kind !== 'trace') return steady(rateHz);
  const { steps, periodMs } = traces.get(arrivals.file)!;
  return repeated(
    steps.map(step => ({ atMs: step.atMs, rateHz: step.rateHz ?? rateHz * step.factor! })),
    periodMs,
  );
}

function meanHz({ rateHz, arrivals }: StreamEntry, traces: Sources['traces']): number {
  if (arrivals?.kind !== 'trace') return rateHz;
  const { steps, periodMs } = traces.get(arrivals.file)!;
  const frames = steps.reduce((sum, step, i) => {
    const lengthMs = (steps[i + 1]?.atMs ?? periodMs) - step.atMs;
    return sum + lengthMs * (step.rateHz ?? rateHz * step.factor!);
  }, 0);
  return frames / periodMs;
}

/** A source of chance of its own for each part of a run: what one draws doesn't move another. */
export function randomFor(seed: number, what: string): Random {
  let value = 0x811c9dc5 ^ seed;
  for (let i = 0; i < what.length; i++) value = Math.imul(value ^ what.charCodeAt(i), 0x01000193);
  return seededRandom(value >>> 0);
}
