import type { Curves } from '../curve.ts';

/**
 * What capacity is planned for, as plain data: from a workload file (`ganglion plan`), from the running cluster, or from a
 * benchmark. Times in ms, rates in Hz, memory in bytes, prices per hour in any one currency.
 */
export interface Workload {
  readonly devices: readonly DeviceOffer[];
  readonly sessions: readonly SessionDemand[];
  readonly prefixes: readonly PrefixGroup[];
  /** Curves by model (or prefix, suffix) and kind of device. */
  readonly curves: Curves;
  /** All sessions are served, or none; who could be, and with which objective, is not looked for. Default false. */
  readonly whole?: boolean;
}

/** Devices of one kind that can be had on the same terms. */
export interface DeviceOffer {
  readonly kind: string;
  /** Infinity: as many as needed. */
  readonly count: number;
  readonly memoryBytes: number;
  readonly pricePerHour: number;
  /** May be taken away at short notice. */
  readonly revocable: boolean;
  /** Failure domain. */
  readonly zone: string;
}

/** A session: model, objective and tenant, with the rate to plan for. */
export interface SessionDemand {
  /** Unique. */
  readonly name: string;
  readonly model: string;
  readonly tenant: string;
  /** Objective of one invocation, from arrival to answer. */
  readonly sloMs: number;
  readonly rateHz: number;
  /** Standard deviation of the rate between planning periods over its mean; 0: Poisson and nothing else. */
  readonly rateVariation: number;
  /** When capacity is short, higher ones are served first; equal ones share by tenant. */
  readonly priority: number;
  /** On at least so many devices, in different zones where there are. */
  readonly replicasMin: number;
  /** Set for a stage of a query: refused together. */
  readonly query: string | undefined;
}

/** Sessions whose models share a leading subgraph: ℓ(b₁…b_k) = ℓ_prefix(Σbᵢ) + Σ ℓ_suffixᵢ(bᵢ). */
export interface PrefixGroup {
  /** Names of sessions. */
  readonly members: readonly string[];
  /** Name of the prefix's curve. */
  readonly prefix: string;
  /** Session → name of its suffix's curve. */
  readonly suffixes: ReadonlyMap<string, string>;
}

/** A plan of capacity. */
export interface CapacityPlan {
  readonly policy: string;
  readonly gpus: number;
  readonly costPerHour: number;
  readonly bound: Bound;
  readonly hosts: readonly CapacityHost[];
  readonly refused: readonly RefusedSession[];
  /** What the last plan from scratch cost, over its lower bound; absent: this plan is from scratch. */
  readonly scratchRatio?: number;
  /** Sentences for people: what was odd in the input, what is degraded. */
  readonly notes: readonly string[];
}

/** No plan that serves the same sessions can cost less. Fractional: may be below what whole devices can reach. */
export interface Bound {
  /** With late binding: batches may be as large as ℓ(b) ≤ L allows, under the arrival rule. */
  readonly gpus: number;
  readonly costPerHour: number;
  /** In the world of independent devices, 2ℓ(b) ≤ L: what Nexus's packing can reach at best. */
  readonly independentGpus: number;
  readonly independentCostPerHour: number;
}

export interface CapacityHost {
  /** Unique, stable over re-plans. */
  readonly id: string;
  readonly kind: string;
  readonly zone: string;
  /** Hosts of one pool share their queues. */
  readonly pool: string;
  readonly memoryBytes: number;
  readonly pricePerHour: number;
  readonly revocable: boolean;
  /** Share of the device's time that is planned, 0..1. */
  readonly occupancy: number;
  /** One cycle of the device, ms. */
  readonly dutyMs: number;
  readonly sessions: readonly {
    readonly name: string;
    /** For a member of a prefix group: its suffix. */
    readonly model: string;
    /** It runs behind this prefix, in one batch with the host's other sessions that name the same one. */
    readonly prefix?: string;
    /** The mixed batch at the prefix, of which `batch` is this session's part. */
    readonly prefixBatch?: number;
    readonly batch: number;
    readonly rateHz: number;
    /** The rate that its hosts were sized for, where that is another one: rates wander, hosts stay. */
    readonly sizedHz?: number;
    /** Worst case by the plan's own model, from arrival to answer. */
    readonly latencyMs: number;
  }[];
}

export interface RefusedSession {
  readonly session: string;
  readonly reason: string;
  /** The least objective with which it could be served; undefined where none could. */
  readonly nearestSloMs: number | undefined;
}

/** Makes a plan; `previous` is what runs now. Pure: equal input, equal plan. */
export type CapacityPolicy = (workload: Workload, previous?: CapacityPlan) => CapacityPlan;
