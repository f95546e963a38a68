import { DeviceError, type Cancel, type Clock } from '../../contracts/index.ts';
import type { ModelFiles, PrefixOptions } from '../device.ts';
import { graphBytes } from './model.ts';
import type { Part, PrefixPart, SurgeryFunctions } from './surgery-worker.ts';
import { startThread, type Thread } from './thread.ts';

/** Reading the largest of graphs takes some seconds. */
const HANG_MS = 120_000;
/** The thread ends after so long without work, and with it what it remembers. */
const IDLE_MS = 10_000;

/** Cuts models, one after the other. */
export interface Surgery {
  /** @throws ModelError no such cut, or no usable graph; DeviceError */
  prefix(model: ModelFiles, at: Pick<PrefixOptions, 'cut' | 'tensors'>): Promise<PrefixPart>;
  /** What is left of a model behind a prefix. @throws ModelError it has another one, or no usable graph */
  suffix(model: ModelFiles, cut: string, behind: PrefixPart): Promise<Part>;
  close(): Promise<void>;
}

/** A thread that is there while there is work, and for a while after. */
export function openSurgery(clock: Clock): Surgery {
  let thread: Thread<SurgeryFunctions> | undefined;
  let busy = 0;
  let closed = false;
  let stopIdling: Cancel = () => {};
  const end = async (): Promise<void> => {
    stopIdling();
    const ending = thread;
    thread = undefined;
    await ending?.exit();
  };
  const started = (): Thread<SurgeryFunctions> => {
    const url = new URL('./surgery-worker.js', import.meta.url);
    const made = startThread<SurgeryFunctions>(url, { name: 'surgery', clock, hangMs: HANG_MS });
    void made.lost.then(() => {
      if (thread === made) thread = undefined;
    });
    return made;
  };
  const working = async <T>(work: (thread: Thread<SurgeryFunctions>) => Promise<T>): Promise<T> => {
    if (closed) throw new DeviceError('the device is closed');
    stopIdling();
    busy++;
    try {
      return await work((thread ??= started()));
    } finally {
      if (--busy === 0 && !closed) stopIdling = clock.after(IDLE_MS, () => void end());
    }
  };
  return {
    prefix: async (model, { cut, tensors }) => {
      const graph = await graphBytes(model);
      return working(thread => thread.call('prefix', { model: model.id, graph, cut, tensors }, [graph.buffer]));
    },
    suffix: async (model, cut, { tensors }) => {
      const graph = await graphBytes(model);
      return working(thread => thread.call('suffix', { model: model.id, graph, cut, tensors }, [graph.buffer]));
    },
    close: () => {
      closed = true;
      return end();
    },
  };
}
