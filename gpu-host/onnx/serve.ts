import { parentPort, type Transferable } from 'node:worker_threads';
import { Lane } from '../lane.ts';
import { toFault, type Fault } from './fault.ts';

/** What a worker's function gives back: the value, and which buffers in it move rather than being copied. */
export interface Served<T> {
  readonly value: T;
  readonly transfer?: readonly Transferable[];
}

export interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}
export type Answer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly fault: Fault };

export type Functions = Readonly<Record<string, (argument: never) => Promise<Served<unknown>>>>;

/**
 * The worker's side: answers calls of its parent, one after the other if `serial`. On `exit` it finishes what it has, calls
 * `onExit` and lets the thread end by itself: a thread inside native code must never be ended from outside.
 */
export function serve(functions: Functions, options: { serial: boolean; onExit?: () => Promise<void> }): void {
  const port = parentPort!;
  const lane = new Lane();
  const underWay = new Set<Promise<void>>();

  const answer = async ({ id, name, argument }: Call): Promise<void> => {
    try {
      const { value, transfer = [] } = await functions[name]!(argument as never);
      port.postMessage({ id, value } satisfies Answer, [...transfer]);
    } catch (error) {
      port.postMessage({ id, fault: toFault(error) } satisfies Answer);
    }
  };
  const exit = async (): Promise<void> => {
    await Promise.all(underWay);
    await options.onExit?.();
    port.close();
  };
  port.on('message', (call: Call | 'exit') => {
    if (call === 'exit') {
      void exit();
      return;
    }
    const work = options.serial ? lane.add(() => answer(call)) : answer(call);
    underWay.add(work);
    void work.finally(() => underWay.delete(work));
  });
}
