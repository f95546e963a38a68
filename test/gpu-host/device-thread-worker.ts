import { parentPort } from 'node:worker_threads';
import { serve } from '../../gpu-host/onnx/serve.ts';

const functions = {
  double: async (value: number) => ({ value: value * 2 }),
  crash: async () => {
    queueMicrotask(() => {
      throw new Error('out of luck');
    });
    return { value: null };
  },
  /** Blocks the thread as a driver that hangs would. */
  hang: async (forMs: number) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
    return { value: null };
  },
  leave: async () => {
    parentPort?.close();
    return { value: null };
  },
};
export type TestFunctions = typeof functions;

serve(functions, { serial: true });
