import type { InferenceSession } from 'onnxruntime-node';

/** How sessions of a device are made. */
export interface ProviderSettings {
  /** onnxruntime's name: cpu, cuda, tensorrt, … */
  readonly provider: string;
  readonly deviceId: number;
  /** Threads of one run on the CPU. */
  readonly threads: number;
}

/** Warnings of onnxruntime about how a graph was exported help nobody who runs it: errors only. */
const LOG_ERRORS = 3;

/**
 * One provider alone: a fallback that nobody notices would make profiles lie. Nodes that the provider can't run still go
 * to onnxruntime's CPU kernels. The memory arena is off on the CPU: it never gives back what its largest batch took.
 */
export function sessionOptions({ provider, deviceId, threads }: ProviderSettings): InferenceSession.SessionOptions {
  const cpu = provider === 'cpu';
  return {
    // Its type lists the providers of one platform each; onnxruntime itself refuses a name that it doesn't know.
    executionProviders: [cpu ? 'cpu' : ({ name: provider, deviceId } as InferenceSession.ExecutionProviderConfig)],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    enableCpuMemArena: !cpu,
    logSeverityLevel: LOG_ERRORS,
  };
}
