import type { CapacityPlan, CapacityPolicy, Workload } from '../../allocator/capacity/index.ts';
import { busyShares } from './anatomy.ts';

/** What a session costs on shared devices, and what it would cost on devices of its own. Prices in the workload's currency. */
export interface SessionCost {
  readonly session: string;
  readonly model: string;
  readonly rateHz: number;
  /** Its part of the plan: each device's price goes to its sessions by the time that they take, idle time included. */
  readonly sharedPerHour: number;
  readonly sharedPerMillion: number;
  /** Alone, by the same policy, on whole devices. Undefined: the policy refuses it alone too. */
  readonly dedicatedPerHour: number | undefined;
  readonly dedicatedPerMillion: number | undefined;
}

export interface CostView {
  readonly sessions: readonly SessionCost[];
  readonly sharedPerHour: number;
  readonly dedicatedPerHour: number;
  /** Part of the dedicated cost that sharing saves, 0..1. */
  readonly saving: number;
}

/**
 * Perseus's question: what a million requests of each session cost, with models sharing devices and with each on its own.
 * Sessions that the plan refuses are left out on both sides.
 */
export function costView(plan: CapacityPlan, workload: Workload, policy: CapacityPolicy): CostView {
  const shared = sharedCosts(plan, workload);
  const sessions = workload.sessions.flatMap((session): SessionCost[] => {
    const sharedPerHour = shared.get(session.name);
    if (sharedPerHour === undefined) return [];
    const alone = policy({ ...workload, sessions: [session], prefixes: [] });
    const dedicatedPerHour = alone.refused.length > 0 ? undefined : alone.costPerHour;
    const perMillion = (costPerHour: number): number => (costPerHour * 1e6) / (session.rateHz * 3600);
    return [
      {
        session: session.name,
        model: session.model,
        rateHz: session.rateHz,
        sharedPerHour,
        sharedPerMillion: perMillion(sharedPerHour),
        dedicatedPerHour,
        dedicatedPerMillion: dedicatedPerHour === undefined ? undefined : perMillion(dedicatedPerHour),
      },
    ];
  });
  const comparable = sessions.filter(one => one.dedicatedPerHour !== undefined);
  const sum = (of: (one: SessionCost) => number): number => comparable.reduce((total, one) => total + of(one), 0);
  const [sharedPerHour, dedicatedPerHour] = [sum(one => one.sharedPerHour), sum(one => one.dedicatedPerHour!)];
  const saving = dedicatedPerHour > 0 ? 1 - sharedPerHour / dedicatedPerHour : 0;
  return { sessions, sharedPerHour, dedicatedPerHour, saving };
}

function sharedCosts(plan: CapacityPlan, workload: Workload): Map<string, number> {
  const costs = new Map<string, number>();
  for (const host of plan.hosts) {
    const busy = busyShares(host, workload.curves);
    const total = busy.reduce((sum, part) => sum + part, 0);
    host.sessions.forEach(({ name }, i) => {
      const part = total > 0 ? busy[i]! / total : 1 / host.sessions.length;
      costs.set(name, (costs.get(name) ?? 0) + host.pricePerHour * part);
    });
  }
  return costs;
}
