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
 * to onnxruntime's CPU kernels. The memory arena is off on the CPU:
 * each session's would keep what its largest batch took, while plans count on one model's working memory at a time. It
 * costs nothing at batch 1, up to a fifth at 4 (PP-OCRv4 detection, 640×352, one thread).
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
