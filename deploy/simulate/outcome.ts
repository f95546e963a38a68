import type { OUTCOMES, Timing } from '../../contracts/index.ts';

type Ending = (typeof OUTCOMES)[number];

/** Frames by how they ended; `lost`: no result came, which must not be. */
export type Counts = Record<Ending | 'offered' | 'lost', number>;

/** Why requests did not end well. */
export interface TroubleCount {
  readonly outcome: Ending;
  readonly at: string;
  readonly reason: string;
  readonly stage: string | null;
  readonly count: number;
}

export interface QueryOutcome extends Counts {
  readonly tenant: string;
  readonly query: string;
  readonly objectiveMs: number;
  /** Share of the offered frames that were not answered in time. */
  readonly badRate: number;
  /** Of answers in time or late. */
  readonly latency: {
    readonly meanMs: number;
    readonly p50Ms: number;
    readonly p90Ms: number;
    readonly p99Ms: number;
    readonly maxMs: number;
  };
  /** Where the time of answers went on the path that they waited for, means. */
  readonly timing: Timing;
  readonly troubles: readonly TroubleCount[];
  /** Answers by latency: `counts[i]` took from i to i + 1 times `widthMs`; the last bin holds all that is beyond. */
  readonly latencies: { readonly widthMs: number; readonly counts: readonly number[] };
  /** By time of arrival, one entry for each `series.bucketS`. */
  readonly series: {
    readonly offered: readonly number[];
    readonly ok: readonly number[];
    readonly bad: readonly number[];
  };
}

export interface ModelOutcome {
  readonly model: string;
  readonly invocations: number;
  readonly batches: number;
  readonly meanBatch: number;
  /** `sizes[b]`: batches of b inputs. */
  readonly sizes: readonly number[];
}

export interface HostOutcome {
  readonly host: string;
  readonly kind: string;
  /** Share of the measured time that the device ran batches. */
  readonly busyShare: number;
  /** Which models it held by plan, from when on (s); empty: none. */
  readonly held: readonly { readonly fromS: number; readonly models: readonly string[] }[];
  /** Busy share in each `series.bucketS`. */
  readonly busy: readonly number[];
}

/** What a scenario came to: the format of `ganglion simulate --json`. Fields are added, never taken away. */
export interface Outcome {
  readonly scenario: string;
  readonly seed: number;
  /** Always: no device of a simulation is real. */
  readonly emulated: true;
  /** `virtual`: simulated bus and time; `real`: processes on a NATS server in real time. */
  readonly time: 'virtual' | 'real';
  readonly durationS: number;
  readonly warmupS: number;
  readonly offeredHz: number;
  /** Frames answered in time, per second. */
  readonly goodHz: number;
  readonly badRate: number;
  readonly gpus: {
    readonly there: number;
    readonly usedMean: number;
    readonly usedMax: number;
    readonly busyMean: number;
  };
  readonly queries: readonly QueryOutcome[];
  readonly models: readonly ModelOutcome[];
  readonly hosts: readonly HostOutcome[];
  readonly epochs: readonly {
    readonly epoch: number;
    readonly atS: number;
    readonly gpus: number;
    readonly refused: readonly { readonly query: string; readonly reason: string }[];
  }[];
  readonly events: readonly { readonly atS: number; readonly what: string }[];
  readonly series: {
    readonly bucketS: number;
    readonly gpusUsed: readonly number[];
    /** Sum of the devices' busy shares. */
    readonly gpusBusy: readonly number[];
  };
}

export const zeroCounts = (): Counts => ({ offered: 0, ok: 0, late: 0, dropped: 0, failed: 0, rejected: 0, lost: 0 });

export const badRateOf = ({ offered, ok }: Pick<Counts, 'offered' | 'ok'>): number =>
  offered === 0 ? 0 : Math.max(0, 1 - ok / offered);
