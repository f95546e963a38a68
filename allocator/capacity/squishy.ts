import { memoryOf, occupancy, pack, type Node, type Share } from '../packing.ts';
import { poolOfNode, type Packer } from './pack.ts';
import { leastEachMs, tableOf, type Table } from './table.ts';
import type { Work } from './unit.ts';

/** A node that is being filled, with what trying a merge needs at hand. */
interface Open {
  dutyMs: number;
  busyMs: number;
  /** What its shares take at least in any merge: lets most nodes be passed over without trying. */
  floor: number;
  shares: Part[];
  readonly units: Set<string>;
}

interface Part {
  readonly share: Share;
  readonly table: Table;
  readonly perMs: number;
}

const EPSILON = 1e-9;

/**
 * Nexus's squishy bin packing (SOSP'19, section 6.1, algorithm 1), of which {@link pack} is the plain form: the same
 * result, found faster, and a replica floor: a work of which R copies are asked for is cut in R parts that never share a
 * device. Each residual is compared with each open node, nearly always in constant time.
 */
export const squishy: Packer = {
  pack: (works, from) => {
    const { done, residuals } = split(works, from.memoryBytes);
    const open: Open[] = [];
    residuals.sort((a, b) => b.occupancy - a.occupancy || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    for (const { node, name } of residuals) {
      const own = opened(node, name);
      let best: { at: Open; occupancy: number } | undefined;
      for (const at of open) {
        if (at.floor + own.floor > 1 + EPSILON || at.units.has(name)) continue;
        const dutyMs = Math.min(at.dutyMs, own.dutyMs);
        const busyMs = busyAt(at, dutyMs, dutyMs) + busyAt(own, dutyMs, dutyMs);
        if (busyMs > dutyMs * (1 + EPSILON)) continue;
        const full = busyMs / dutyMs;
        if (best && full <= best.occupancy + EPSILON) continue;
        if (memoryOf([...sharesAt(at, dutyMs), ...sharesAt(own, dutyMs)]) > from.memoryBytes) continue;
        best = { at, occupancy: full };
      }
      if (best) join(best.at, own, name);
      else open.push(own);
    }
    const nodes = open.map(
      (at): Node => ({ kind: 'residual', dutyMs: at.dutyMs, shares: at.shares.map(p => p.share) }),
    );
    return [...done, ...nodes].map(node => poolOfNode(node, from));
  },

  /** Whole devices, and the residuals' floors: the floors of a node never exceed 1. */
  least: (works, from) => {
    const { done, residuals } = split(works, from.memoryBytes);
    return done.length + residuals.reduce((sum, { node, name }) => sum + opened(node, name).floor, 0) - EPSILON;
  },
};

function split(
  works: readonly Work[],
  memoryBytes: number,
): { done: Node[]; residuals: { node: Node; name: string; occupancy: number }[] } {
  const done: Node[] = [];
  const residuals: { node: Node; name: string; occupancy: number }[] = [];
  for (const work of works) {
    const copies = work.unit.replicasMin;
    const nodes = pack([copies === 1 ? work : { ...work, rateHz: work.rateHz / copies }], memoryBytes);
    for (let i = 0; i < copies; i++) {
      for (const node of nodes) {
        if (node.kind !== 'residual') done.push(node);
        else residuals.push({ node, name: work.name, occupancy: occupancy(node) });
      }
    }
  }
  return { done, residuals };
}

function opened(node: Node, name: string): Open {
  const shares = node.shares.map((share): Part => {
    return { share, table: tableOf(share.load.curve), perMs: share.rateHz / 1000 };
  });
  const busyMs = shares.reduce((sum, { share, table }) => sum + table.latencyMs[share.batch - table.batchMin]!, 0);
  const { dutyMs } = node;
  return { dutyMs, busyMs, floor: floorOf(shares, dutyMs), shares, units: new Set([name]) };
}

/**
 * At any shorter duty d' a share takes ℓ(b')/d' with d'·r ≤ b' ≤ b: at least r·min ℓ/b, and at least ℓ(1) a cycle.
 */
const floorOf = (shares: readonly Part[], dutyMs: number): number =>
  shares.reduce(
    (sum, { share, table, perMs }) =>
      sum + Math.max(perMs * leastEachMs(table, share.batch), table.latencyMs[0]! / dutyMs),
    0,
  );

const batchAt = ({ perMs, table }: Part, dutyMs: number): number =>
  Math.max(table.batchMin, Math.ceil(dutyMs * perMs - EPSILON));

/** Σℓ(⌈d'·r⌉); Infinity once it is above `mostMs` or a batch would have to grow. */
function busyAt(at: Open, dutyMs: number, mostMs: number): number {
  if (dutyMs === at.dutyMs) return at.busyMs;
  let busyMs = 0;
  for (const part of at.shares) {
    const batch = batchAt(part, dutyMs);
    if (batch > part.share.batch) return Infinity;
    busyMs += part.table.latencyMs[batch - part.table.batchMin]!;
    if (busyMs > mostMs * (1 + EPSILON)) return Infinity;
  }
  return busyMs;
}

const sharesAt = (at: Open, dutyMs: number): Share[] =>
  at.shares.map(part => (dutyMs === at.dutyMs ? part.share : { ...part.share, batch: batchAt(part, dutyMs) }));

function join(at: Open, own: Open, name: string): void {
  const dutyMs = Math.min(at.dutyMs, own.dutyMs);
  const busyMs = busyAt(at, dutyMs, dutyMs) + busyAt(own, dutyMs, dutyMs);
  const shares = [...sharesAt(at, dutyMs), ...sharesAt(own, dutyMs)];
  at.shares = [...at.shares, ...own.shares].map((part, i) => ({ ...part, share: shares[i]! }));
  at.dutyMs = dutyMs;
  at.busyMs = busyMs;
  at.floor = floorOf(at.shares, dutyMs);
  at.units.add(name);
}
