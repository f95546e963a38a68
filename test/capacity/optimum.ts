import { createRequire } from 'node:module';
import type Highs from 'highs';
import type { CapacityPolicy, DeviceOffer, SessionDemand, Workload } from '../../allocator/index.ts';

/** A device as an integer program sees it: what it costs, and how many requests a second of each session it can serve. */
export interface Configuration {
  readonly pricePerHour: number;
  /** By session, in the order of the workload; never more than the session asks for. */
  readonly servesHz: readonly number[];
}

const EPSILON = 1e-9;
// Its types are those of a CommonJS module.
const highs = await (createRequire(import.meta.url)('highs') as typeof Highs.default)();

/**
 * All that an independent device can usefully do: batches b of some sessions, one after the other, in a cycle d = Σℓ(b);
 * each is served b/d requests a second and waits at most d + ℓ(b) ≤ L; ΣP + max E ≤ C. A session with ℓ(1) ≤ L < 2ℓ(1) is
 * alone on a device. Batches beyond what arrives in the longest allowed cycle are left out, and so is a configuration
 * that serves no session more than another one does. Any node of Nexus's packing is one of these, or serves less.
 */
export function configurations(workload: Workload): Configuration[] {
  const found: Configuration[] = [];
  for (const offer of workload.devices) {
    const { sessions } = workload;
    const places = sessions.map(session => placeOf(session, offer, workload));
    const batches = sessions.map(() => 0);
    const visit = (next: number, cycleMs: number, leastMs: number): void => {
      if (next === sessions.length) {
        if (cycleMs > 0 && fitsMemory(batches, offer, workload)) {
          const servesHz = sessions.map((s, i) => Math.min(s.rateHz, (1000 * batches[i]!) / cycleMs));
          add(found, { pricePerHour: offer.pricePerHour, servesHz });
        }
        return;
      }
      const place = places[next]!;
      visit(next + 1, cycleMs, leastMs);
      for (const { batch, runMs } of place.batches) {
        // The tightest of all: L − ℓ(b) of each must hold the whole cycle.
        const roomMs = Math.min(leastMs, place.deviceMs - runMs);
        if (cycleMs + runMs > roomMs + EPSILON) break;
        batches[next] = batch;
        visit(next + 1, cycleMs + runMs, roomMs);
        batches[next] = 0;
      }
    };
    visit(0, 0, Number.POSITIVE_INFINITY);
    places.forEach(({ aloneHz }, i) => {
      if (aloneHz > 0) {
        const servesHz = sessions.map((s, j) => (i === j ? Math.min(s.rateHz, aloneHz) : 0));
        add(found, { pricePerHour: offer.pricePerHour, servesHz });
      }
    });
  }
  return found;
}

function placeOf(session: SessionDemand, offer: DeviceOffer, { curves }: Workload) {
  const curve = curves.get(session.model, offer.kind);
  const deviceMs = session.sloMs - curve.aroundMs;
  const leastMs = curve.latencyMs(curve.batchMin);
  const aloneHz = leastMs <= deviceMs && 2 * leastMs > deviceMs ? (1000 * curve.batchMin) / leastMs : 0;
  const batches: { batch: number; runMs: number }[] = [];
  for (let batch = curve.batchMin; batch <= curve.batchMax; batch++) {
    const runMs = curve.latencyMs(batch);
    batches.push({ batch, runMs });
    // With this one all that arrives in the longest cycle is taken.
    if (batch * 1000 >= session.rateHz * (deviceMs - runMs)) break;
  }
  return { deviceMs, aloneHz, batches };
}

function fitsMemory(batches: readonly number[], offer: DeviceOffer, { sessions, curves }: Workload): boolean {
  const held = new Map<string, number>();
  let ephemeral = 0;
  batches.forEach((batch, i) => {
    if (batch === 0) return;
    const curve = curves.get(sessions[i]!.model, offer.kind);
    held.set(curve.model, curve.persistentBytes);
    ephemeral = Math.max(ephemeral, curve.ephemeralBytes(batch));
  });
  return [...held.values()].reduce((sum, bytes) => sum + bytes, ephemeral) <= offer.memoryBytes;
}

/** Keeps what nothing else covers. */
function add(all: Configuration[], one: Configuration): void {
  const covers = (a: Configuration, b: Configuration): boolean =>
    a.pricePerHour <= b.pricePerHour && a.servesHz.every((hz, i) => hz >= b.servesHz[i]! - EPSILON);
  if (all.some(other => covers(other, one))) return;
  let kept = 0;
  for (const other of all) if (!covers(one, other)) all[kept++] = other;
  all.length = kept;
  all.push(one);
}

/**
 * The proven least cost of independent devices: whole numbers x of each configuration, Σ servesHz·x ≥ r for each session,
 * least Σ price·x (the exact program of Nexus, SOSP'19, section 6.1, with rates cut at will over devices).
 */
export function optimumApart(workload: Workload, all: readonly Configuration[]): number {
  const rows = workload.sessions.map((session, i) => ({
    terms: all.map((one, k) => [one.servesHz[i]! / session.rateHz, k] as const),
    sense: '>=',
  }));
  return solved(
    all.map(one => one.pricePerHour),
    rows,
  );
}

/**
 * The proven least cost of all ways to part sessions into groups that are planned by themselves: each in exactly one group,
 * a group at what the policy plans for it alone. At most six sessions: 63 groups.
 */
export function optimumOfGroups(workload: Workload, policy: CapacityPolicy): number {
  const { sessions } = workload;
  const groups = Array.from({ length: 2 ** sessions.length - 1 }, (_, bits) =>
    sessions.map((_, i) => ((bits + 1) & (1 << i)) !== 0),
  );
  const costs = groups.map(
    chosen => policy({ ...workload, sessions: sessions.filter((_, i) => chosen[i]) }).costPerHour,
  );
  const rows = sessions.map((_, i) => ({
    terms: groups.map((chosen, k) => [chosen[i] ? 1 : 0, k] as const),
    sense: '=',
  }));
  return solved(costs, rows);
}

interface Row {
  /** Coefficient and column. */
  readonly terms: readonly (readonly [number, number])[];
  readonly sense: string;
}

/** Least Σ cost·x, x whole and not negative, each row at least or exactly 1. */
function solved(costs: readonly number[], rows: readonly Row[]): number {
  const sum = (terms: Row['terms']): string =>
    terms
      .filter(([factor]) => factor > 0)
      .map(([factor, column]) => `${factor.toFixed(12)} x${column}`)
      .join('\n + ');
  const program = [
    `Minimize\n cost: ${sum(costs.map((cost, k) => [cost, k] as const))}`,
    `Subject To\n${rows.map(({ terms, sense }, i) => ` r${i}: ${sum(terms)} ${sense} 1`).join('\n')}`,
    `General\n ${costs.map((_, k) => `x${k}`).join('\n ')}`,
    'End',
  ].join('\n');
  const solution = highs.solve(program, { mip_rel_gap: 0, mip_abs_gap: 1e-9 });
  if (solution.Status !== 'Optimal') throw new Error(`${solution.Status}: ${program.slice(0, 400)}`);
  return solution.ObjectiveValue;
}
