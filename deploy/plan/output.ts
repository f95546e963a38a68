import type { CapacityPlan, Migration } from '../../allocator/capacity/index.ts';
import { anatomyOf } from './anatomy.ts';
import type { CostView } from './costs.ts';
import type { PreparedWorkload } from './workload.ts';

/** One policy's answer to a workload. */
export interface Planned {
  readonly prepared: PreparedWorkload;
  /** With the refused queries and all notes. */
  readonly plan: CapacityPlan;
  readonly planningMs: number;
  /** With `--from`: what to do, in order. */
  readonly migration: Migration | undefined;
  readonly costs: CostView | undefined;
}

const MB = 1e6;
/** Noise of binary fractions is not for readers. */
const tidy = (value: number): number => Number(value.toPrecision(10));

/** The format of `ganglion plan --json`: what tools are written against. Fields are added, never taken away. */
export function planJson({ plan, prepared, planningMs, migration, costs }: Planned): object {
  return {
    policy: plan.policy,
    gpus: plan.gpus,
    costPerHour: tidy(plan.costPerHour),
    bound: {
      gpus: tidy(plan.bound.gpus),
      costPerHour: tidy(plan.bound.costPerHour),
      independentGpus: tidy(plan.bound.independentGpus),
      independentCostPerHour: tidy(plan.bound.independentCostPerHour),
    },
    hosts: plan.hosts.map(host => ({
      id: host.id,
      kind: host.kind,
      zone: host.zone,
      pool: host.pool,
      pricePerHour: host.pricePerHour,
      revocable: host.revocable,
      memoryMB: tidy(anatomyOf(host, prepared.workload.curves).usedBytes / MB),
      deviceMemoryMB: tidy(host.memoryBytes / MB),
      occupancy: tidy(host.occupancy),
      dutyMs: tidy(host.dutyMs),
      sessions: host.sessions.map(session => ({
        name: session.name,
        model: session.model,
        ...(session.prefix === undefined ? {} : { prefix: session.prefix, prefixBatch: session.prefixBatch }),
        batch: session.batch,
        rateHz: tidy(session.rateHz),
        latencyMs: tidy(session.latencyMs),
      })),
    })),
    refused: plan.refused.map(({ session, reason, nearestSloMs }) => ({
      session,
      reason,
      nearestSloMs: nearestSloMs === undefined ? null : tidy(nearestSloMs),
    })),
    splits: Object.fromEntries(
      Object.entries(prepared.splits).map(([query, stages]) => [
        query,
        Object.fromEntries(Object.entries(stages).map(([stage, ms]) => [stage, tidy(ms)])),
      ]),
    ),
    moves: migration?.moves ?? [],
    ...(migration
      ? {
          loadedMB: tidy(migration.loadedBytes / MB),
          sessionsMoved: migration.sessionsMoved,
          blocked: migration.blocked,
        }
      : {}),
    notes: plan.notes,
    ...(costs ? { costs } : {}),
    planningMs: Number(planningMs.toFixed(2)),
  };
}
