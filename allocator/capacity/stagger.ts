import { leastEachMs, tableOf } from './table.ts';
import type { Work } from './unit.ts';

/** How much room a plan keeps for what isn't as it was measured, or not as even as the rules take it to be. */
export interface Headroom {
  /** Standard deviations of the work between planning periods (rateVariation). */
  readonly variationSigmas: number;
  /** Devices of a pool of several sessions that are left free. */
  readonly devices: number;
  /** How rare waits beyond an objective are to be: the drift of the work that waits, in variances per ms of patience ({@link burstRoom}). */
  readonly drifts: number;
  /** So many batches end while an urgent input can wait for a host: with 1 the next one is just in time when they are even. */
  readonly ends: number;
  /** Share of every pool that is left free at least, so that rates that wobble move nothing. */
  readonly least: number;
}

/** What serves 99 % under Poisson arrivals, as found with simulated pools (docs/planning.md). */
export const HEADROOM: Headroom = { variationSigmas: 2, devices: 0.5, drifts: 1.5, ends: 4, least: 0.012 };
export const NO_HEADROOM: Headroom = { variationSigmas: 0, devices: 0, drifts: 0, ends: 1, least: 0 };

/** A pool whose hosts all hold all of these, and take turns. */
export interface SharedPool {
  readonly hosts: number;
  readonly parts: readonly { readonly work: Work; readonly batch: number; readonly worstMs: number }[];
  /** Σ r·ℓ(b)/b, devices. */
  readonly busy: number;
}

const EPSILON = 1e-9;

/**
 * The batches with which `hosts` devices serve these works, staggered; undefined: they don't. For a work with L, r and
 * its batch b, all four must hold:
 * 1. turns: (1 + 1/n)·ℓ(b) ≤ L: the next of n staggered hosts is ℓ(b)/n away;
 * 2. arrival: ℓ(b) + (b−1)/r ≤ L: the first input of a batch waits for the last;
 * 3. capacity: Σ r·ℓ(b)/b ≤ n·(1−h);
 * 4. blocking: a batch that has begun runs to its end. The more urgent works (shorter or equal L) take U devices; of the
 *    other n−U one ends its less urgent batch, of Λ at most, after at latest Λ/(n−U), so ℓ(b) + Λ/(n−U) ≤ L: the
 *    condition of Jeffay, Stanat and Martel (RTSS'91) for non-preemptive earliest deadline first, on a device n times as
 *    fast. With it and rule 3, the work due in any span x never exceeds n·x.
 * Batches are chosen from the most to the least urgent work, each the most efficient that the rules allow, so a less
 * urgent one never makes a more urgent one late. With headroom, rule 4 also asks for `ends` batches that end while an
 * input of the urgent work can wait, and rule 3 for devices that stay free of what batches take on average ({@link meanEachMs}), as many as
 * bursts need ({@link burstRoom}).
 * O(m·b) after sorting.
 * @param works sorted by {@link byUrgency}
 */
export function staggered(
  works: readonly Work[],
  hosts: number,
  memoryBytes: number,
  headroom: Headroom,
): SharedPool | undefined {
  const roomBytes = memoryBytes - persistentBytes(works);
  // Columns, not objects: with a million works most of the time would go into collecting these.
  const batches = new Int32Array(works.length);
  const own = new Float64Array(works.length);
  let busy = 0;
  let edge = 0;
  let usual = 0;
  let variance = 0;
  let workMs = 0;
  let longestMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < works.length; ) {
    const first = i;
    for (; i < works.length && works[i]!.deviceMs <= works[first]!.deviceMs; i++) {
      const work = works[i]!;
      const choice = batchFor(work, hosts, roomBytes, longestMs);
      if (!choice) return undefined;
      batches[i] = choice.batch;
      own[i] = choice.busy;
      busy += choice.busy;
      edge = Math.max(edge, choice.slower - choice.busy);
      usual += choice.usual;
      variance += (work.unit.variation * choice.usual) ** 2;
      workMs += (1000 * choice.usual ** 2) / work.rateHz;
    }
    for (let j = first; headroom.drifts > 0 && j < i; j++)
      if (!isPatient(works[j]!, { batch: batches[j]!, hosts, usual, workMs, drifts: headroom.drifts }))
        return undefined;
    const free = Math.max(0, hosts * (1 - headroom.least) - busy);
    for (let j = first; j < i; j++) {
      const { curve, deviceMs } = works[j]!;
      const windowMs = deviceMs - curve.latencyMs(batches[j]!);
      const patienceMs = (deviceMs - curve.latencyMs(curve.batchMin)) / headroom.ends;
      longestMs = Math.min(longestMs, free * windowMs, Math.max(0, hosts - usual) * patienceMs);
    }
  }
  const spare = (works.length > 1 ? headroom.devices : 0) + headroom.variationSigmas * Math.sqrt(variance);
  if (busy + edge > hosts * (1 - headroom.least) + EPSILON || usual + spare > hosts + EPSILON) return undefined;
  return { hosts, busy, parts: withWorst(works, batches, own, hosts) };
}

/** More than what heavy traffic says, where hosts are few: fitted with simulated pools. */
const FEW_HOSTS = 1.6;

/**
 * Devices to leave free for bursts that inputs of this work can wait for. What waits, V ms of work, grows by Poisson arrivals with variance
 * Σ u·e an ms (e: time an input) and shrinks by the free devices s; beyond x it is with probability e^(−2sx/Σue), and n devices work off n·t in
 * the patience t = L − ℓ(b), so s = c·Σue/(n·t) (Kingman's heavy traffic).
 */
export const burstRoom = (workMs: number, patienceMs: number, hosts: number, drifts: number): number =>
  (drifts * (1 + FEW_HOSTS / hosts) * workMs) / (hosts * patienceMs);

/** With this batch, or a smaller one that leaves more time to wait, the devices that it and more urgent ones leave free do for bursts. */
function isPatient(
  { curve, rateHz, deviceMs }: Work,
  at: { batch: number; hosts: number; usual: number; workMs: number; drifts: number },
): boolean {
  const table = tableOf(curve);
  const eachAtBatch = leastEachMs(table, at.batch);
  for (let batch = at.batch; batch >= curve.batchMin; batch = Math.min(batch - 1, Math.floor(0.9 * batch))) {
    const runMs = table.latencyMs[batch - curve.batchMin]!;
    const extra = (rateHz / 1000) * Math.max(0, leastEachMs(table, batch) - eachAtBatch);
    if (at.usual + extra + burstRoom(at.workMs, deviceMs - runMs, at.hosts, at.drifts) <= at.hosts) return true;
  }
  return false;
}

/** Most urgent first. */
export const byUrgency = (a: Work, b: Work): number =>
  a.deviceMs - b.deviceMs || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** ΣP: each model once. */
function persistentBytes(works: readonly Work[]): number {
  const models = new Set<string>();
  let bytes = 0;
  for (const { curve } of works) {
    if (models.has(curve.model)) continue;
    models.add(curve.model);
    bytes += curve.persistentBytes;
  }
  return bytes;
}

function batchFor(
  work: Work,
  hosts: number,
  roomBytes: number,
  longestMs: number,
): { batch: number; busy: number; slower: number; usual: number } | undefined {
  const { curve, rateHz, deviceMs } = work;
  const table = tableOf(curve);
  const least = table.latencyMs[0]!;
  const runMaxMs = Math.min(deviceMs / (1 + 1 / hosts), longestMs) * (1 + EPSILON);
  if (least > runMaxMs || curve.ephemeralBytes(curve.batchMin) > roomBytes) return undefined;
  let [low, high] = [curve.batchMin, curve.batchMax];
  while (low < high) {
    const b = Math.ceil((low + high) / 2);
    const runMs = table.latencyMs[b - curve.batchMin]!;
    const fits =
      runMs <= runMaxMs &&
      runMs + ((b - 1) * 1000) / rateHz <= deviceMs * (1 + EPSILON) &&
      curve.ephemeralBytes(b) <= roomBytes;
    if (fits) low = b;
    else high = b - 1;
  }
  const batch = table.best[low - curve.batchMin]!;
  const roomy = low < curve.batchMax && curve.ephemeralBytes(low + 1) <= roomBytes;
  const eachMs = roomy ? meanEachMs(work, low, runMaxMs) : leastEachMs(table, low);
  const busy = busyOf(work, batch);
  return { batch, busy, slower: slowerNeeds(work, low), usual: Math.min(busy, (rateHz / 1000) * eachMs) };
}

/**
 * Time an input with the mean batch, ms. Random arrivals come in batches of b and of b+1; their mean x is where the rules that
 * bound b hold with equality, ℓ straight in between.
 */
function meanEachMs({ curve, rateHz, deviceMs }: Work, low: number, runMaxMs: number): number {
  const table = tableOf(curve);
  const runMs = table.latencyMs[low - curve.batchMin]!;
  const stepMs = table.latencyMs[low + 1 - curve.batchMin]! - runMs;
  const gapMs = 1000 / rateHz;
  const byArrival = (deviceMs - runMs - (low - 1) * gapMs) / (stepMs + gapMs);
  const byTurn = stepMs > 0 ? (runMaxMs - runMs) / stepMs : 1;
  const more = Math.max(0, Math.min(1, byArrival, byTurn));
  return Math.min(leastEachMs(table, low), (runMs + more * stepMs) / (low + more));
}

/** Devices that a work keeps busy: r·ℓ(b)/b; batches that can't fill in time run partly filled. */
function busyOf(work: Work, batch: number): number {
  const runMs = work.curve.latencyMs(batch);
  const perMs = work.rateHz / 1000;
  const fills = runMs + (batch - 1) / perMs <= work.deviceMs * (1 + EPSILON);
  return runMs * (fills ? perMs / batch : Math.min(perMs, Math.max(perMs / batch, 1 / (work.deviceMs - runMs))));
}

/**
 * What lower rates of this work would need at most. Just below the rate at which b inputs arrive in time, batches of b−1
 * run, which can take more devices; a plan that shrinks when the rate grows a little would be a plan on an edge.
 */
function slowerNeeds(work: Work, batchMax: number): number {
  const table = tableOf(work.curve);
  let most = 0;
  for (let b = work.curve.batchMin + 1; b <= batchMax; b++) {
    const fillPerMs = (b - 1) / (work.deviceMs - table.latencyMs[b - table.batchMin]!);
    most = Math.max(most, fillPerMs * leastEachMs(table, b - 1));
  }
  return most;
}

/** Worst case of each: it waits for its batch to fill and, at the same time, for a host. */
function withWorst(works: readonly Work[], batches: Int32Array, own: Float64Array, hosts: number): SharedPool['parts'] {
  const result: SharedPool['parts'][number][] = [];
  let busy = own.reduce((sum, part) => sum + part, 0);
  let longestMs = 0;
  for (let i = works.length - 1; i >= 0; ) {
    let first = i;
    while (first > 0 && works[first - 1]!.deviceMs >= works[i]!.deviceMs) first--;
    for (let j = first; j <= i; j++) {
      const work = works[j]!;
      const batch = batches[j]!;
      const runMs = work.curve.latencyMs(batch);
      const fillMs = ((batch - 1) * 1000) / work.rateHz;
      const blockedMs = longestMs === 0 ? 0 : longestMs / Math.max(Number.MIN_VALUE, hosts - busy);
      const waitMs = Math.max(Math.min(fillMs, work.deviceMs - runMs), runMs / hosts, blockedMs);
      result.push({ work, batch, worstMs: runMs + waitMs });
    }
    for (let j = first; j <= i; j++) {
      longestMs = Math.max(longestMs, works[j]!.curve.latencyMs(batches[j]!));
      busy -= own[j]!;
    }
    i = first - 1;
  }
  return result.toReversed();
}
