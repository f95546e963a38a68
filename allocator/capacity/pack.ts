import { occupancy, type Node } from '../packing.ts';
import type { SharedPool } from './stagger.ts';
import type { DeviceClass } from './supply.ts';
import type { Unit, Work } from './unit.ts';

/** Hosts of one class that hold the same and share it evenly. One host: a device for itself, planned the squishy way. */
export interface PlannedPool {
  readonly from: DeviceClass;
  readonly hosts: number;
  /** So many of its hosts, if it has them, in different zones. */
  readonly spread: number;
  readonly dutyMs: number;
  readonly occupancy: number;
  readonly parts: readonly PoolPart[];
}

interface PoolPart {
  readonly unit: Unit;
  /** Over all hosts of the pool. */
  readonly rateHz: number;
  readonly batch: number;
  /** From arrival to answer, everything included. */
  readonly latencyMs: number;
}

/** Plans works on devices of one class, as many as it takes. */
export interface Packer {
  pack(works: readonly Work[], from: DeviceClass): PlannedPool[];
  /** Devices without which it can't do; 0 where nobody knows. Cheaper to find than a plan. */
  least(works: readonly Work[], from: DeviceClass): number;
}

export function poolOfNode(node: Node, from: DeviceClass): PlannedPool {
  const parts = node.shares.map((share): PoolPart => {
    const { curve } = share.load;
    const runMs = curve.latencyMs(share.batch);
    const waitMs = node.kind === 'tight' ? 0 : node.dutyMs;
    const latencyMs = curve.aroundMs + runMs + waitMs;
    return { unit: (share.load as Work).unit, rateHz: share.rateHz, batch: share.batch, latencyMs };
  });
  const spread = Math.max(...parts.map(part => part.unit.replicasMin));
  return { from, hosts: 1, spread, dutyMs: node.dutyMs, occupancy: Math.min(1, occupancy(node)), parts };
}

export function poolOfShared(pool: SharedPool, from: DeviceClass): PlannedPool {
  const turnMs = pool.parts.reduce((sum, part) => sum + part.work.curve.latencyMs(part.batch), 0);
  const share = Math.min(1, Math.max(Number.EPSILON, pool.busy / pool.hosts));
  return {
    from,
    hosts: pool.hosts,
    spread: pool.parts.reduce((most, part) => Math.max(most, part.work.unit.replicasMin), 1),
    dutyMs: turnMs / share,
    occupancy: share,
    parts: pool.parts.map(({ work, batch, worstMs }): PoolPart => {
      return { unit: work.unit, rateHz: work.rateHz, batch, latencyMs: work.curve.aroundMs + worstMs };
    }),
  };
}

export const hostsOf = (pools: readonly PlannedPool[]): number => pools.reduce((sum, pool) => sum + pool.hosts, 0);
