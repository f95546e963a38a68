import type { CapacityPlan, Migration } from '../../allocator/capacity/index.ts';
import { ConfigError } from '../../contracts/index.ts';
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

/** About 100 bytes each; a text of more than 512 MB can't be made. */
const ENTRIES_MAX = 4_000_000;

/** Each host lists its sessions. @throws ConfigError where those are too many for a file that anything could read */
function hostsJson({ plan, prepared }: Planned): object[] {
  const entries = plan.hosts.reduce((sum, host) => sum + host.sessions.length, 0);
  if (entries > ENTRIES_MAX) {
    throw new ConfigError(
      `the plan's ${plan.hosts.length} devices hold ${entries} sessions together; --json lists up to ${ENTRIES_MAX}`,
      {
        field: 'sessions',
        remedy: 'write sessions of one model with nearly the same objective as one, or leave --json out',
      },
    );
  }
  // Hosts of a pool mostly have the very same list.
  const known = new Map<object, { memoryMB: number; sessions: object[] }>();
  return plan.hosts.map(host => {
    let held = known.get(host.sessions);
    if (!held) {
      const memoryMB = tidy(anatomyOf(host, prepared.workload.curves).usedBytes / MB);
      known.set(host.sessions, (held = { memoryMB, sessions: host.sessions.map(sessionJson) }));
    }
    return {
      id: host.id,
      kind: host.kind,
      zone: host.zone,
      pool: host.pool,
      pricePerHour: host.pricePerHour,
      revocable: host.revocable,
      memoryMB: held.memoryMB,
      deviceMemoryMB: tidy(host.memoryBytes / MB),
      occupancy: tidy(host.occupancy),
      dutyMs: tidy(host.dutyMs),
      sessions: held.sessions,
    };
  });
}

const sessionJson = (session: CapacityPlan['hosts'][number]['sessions'][number]): object => ({
  name: session.name,
  model: session.model,
  ...(session.prefix === undefined ? {} : { prefix: session.prefix, prefixBatch: session.prefixBatch }),
  batch: session.batch,
  rateHz: tidy(session.rateHz),
  ...(session.sizedHz === undefined ? {} : { sizedHz: tidy(session.sizedHz) }),
  latencyMs: tidy(session.latencyMs),
});

/** The format of `ganglion plan --json`: what tools are written against. Fields are added, never taken away. */
export function planJson(planned: Planned): object {
  const { plan, prepared, planningMs, migration, costs } = planned;
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
    hosts: hostsJson(planned),
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
    ...(plan.scratchRatio === undefined ? {} : { scratchRatio: plan.scratchRatio }),
    notes: plan.notes,
    ...(costs ? { costs } : {}),
    planningMs: Number(planningMs.toFixed(2)),
  };
}
