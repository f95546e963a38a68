import { Worker, type Transferable } from 'node:worker_threads';
import { describeError, DeviceError, type Cancel, type Clock } from '../../contracts/index.ts';
import { fromFault } from './fault.ts';
import type { Answer, Call, Functions, Served } from './serve.ts';

type ArgumentOf<F> = F extends (argument: infer A) => unknown ? A : never;
type ValueOf<F> = F extends (argument: never) => Promise<Served<infer V>> ? V : never;

/** A worker thread as a set of functions. */
export interface Thread<F extends Functions> {
  /** @throws what the function throws; DeviceError once the thread is lost */
  call<N extends keyof F & string>(
    name: N,
    argument: ArgumentOf<F[N]>,
    transfer?: readonly Transferable[],
  ): Promise<ValueOf<F[N]>>;
  /** Calls not answered yet. */
  readonly pending: number;
  /** Resolves when the thread died or fell silent with work to do. Every call then rejects. */
  readonly lost: Promise<Error>;
  /** Lets it finish what it has, then ends it. Resolves when it ended, or was given up after `patienceMs`. */
  exit(): Promise<void>;
}

export interface ThreadOptions {
  readonly name: string;
  readonly clock: Clock;
  /** With calls pending and no answer for so long, the thread counts as hung. */
  readonly hangMs: number;
  readonly data?: unknown;
}

const EXIT_PATIENCE_MS = 10_000;

/** Starts a worker thread that answers by `serve`. `url` is the compiled file beside the caller's. */
export function startThread<F extends Functions>(url: URL, options: ThreadOptions): Thread<F> {
  const { name, clock, hangMs } = options;
  const worker = new Worker(url, { name, workerData: options.data });
  const pending = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let nextId = 1;
  let gone: Error | undefined;
  let leaving = false;
  let disarm: Cancel = () => {};
  let tellLost: (error: Error) => void;
  const lost = new Promise<Error>(resolve => (tellLost = resolve));
  const ended = new Promise<void>(resolve => worker.once('exit', () => resolve()));

  const lose = (error: Error): void => {
    if (gone) return;
    gone = error;
    disarm();
    worker.unref();
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
    if (!leaving) tellLost(error);
  };
  const watch = (): void => {
    disarm();
    if (pending.size > 0)
      disarm = clock.after(hangMs, () => lose(new DeviceError(`${name} has not answered for ${hangMs} ms`)));
  };
  worker.on('message', (answer: Answer) => {
    const call = pending.get(answer.id);
    pending.delete(answer.id);
    watch();
    if ('fault' in answer) call?.reject(fromFault(answer.fault));
    else call?.resolve(answer.value as never);
  });
  worker.on('error', error => lose(new DeviceError(`${name} crashed: ${describeError(error)}`, { cause: error })));
  worker.on('exit', code => lose(new DeviceError(`${name} ended${leaving ? '' : ` by itself with code ${code}`}`)));

  return {
    lost,
    get pending() {
      return pending.size;
    },
    call: (fn, argument, transfer = []) => {
      if (gone || leaving) return Promise.reject(gone ?? new DeviceError(`${name} is closed`));
      return new Promise((resolve, reject) => {
        const id = nextId++;
        worker.postMessage({ id, name: fn, argument } satisfies Call, transfer);
        pending.set(id, { resolve, reject });
        if (pending.size === 1) watch();
      });
    },
    exit: async () => {
      if (gone) return;
      leaving = true;
      worker.postMessage('exit', []);
      await new Promise<void>(resolve => {
        const cancel = clock.after(EXIT_PATIENCE_MS, () => {
          lose(new DeviceError(`${name} did not end within ${EXIT_PATIENCE_MS} ms`));
          resolve();
        });
        void ended.then(() => {
          cancel();
          resolve();
        });
      });
    },
  };
}
