import { join } from 'node:path';
import { createJiti } from 'jiti';
import { describeError, ModelError, type Payload, type Tensor } from '../contracts/index.ts';
import type { Numbers, TensorType } from './tensors.ts';

type Awaitable<T> = T | Promise<T>;

/**
 * What a user's preprocessing module exports as `preprocess`. It is one JavaScript or TypeScript file (ES module) that may
 * import Node's own modules and packages, no files beside it. It runs in a worker thread, once per input.
 */
export type Preprocess = (payload: Payload) => Awaitable<{
  /** By input name, without the batch. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Handed to `postprocess` as `info.custom`; plain data. */
  readonly info?: unknown;
}>;

/** One output for one input: `values` row by row in `dims`, which leave the batch out. */
export interface ModuleTensor {
  readonly type: TensorType;
  readonly dims: readonly number[];
  readonly values: Numbers;
}

/** What a user's postprocessing module exports as `postprocess`: an `Output`, or any plain data (becomes `custom`). */
export type Postprocess = (
  outputs: Readonly<Record<string, ModuleTensor>>,
  info: {
    /** Pixels of the payload picture; absent where the input is no picture. */
    readonly width?: number;
    readonly height?: number;
    readonly custom?: unknown;
  },
) => unknown;

/**
 * Evaluates a module and takes one function out of it.
 * @throws ModelError when it doesn't compile, fails while loading, or exports no such function
 */
export async function loadModule<F extends Preprocess | Postprocess>(
  id: string,
  { file, source, name }: { file: string; source: Uint8Array; name: 'preprocess' | 'postprocess' },
): Promise<F> {
  const jiti = createJiti(import.meta.url, { fsCache: false, moduleCache: false });
  let exported: Record<string, unknown>;
  try {
    // A place that need not exist: packages that the module imports are looked for from there.
    const filename = join(import.meta.dirname, file.replaceAll(/[^A-Za-z0-9._-]/g, '_'));
    exported = (await jiti.evalModule(Buffer.from(source).toString('utf8'), {
      filename,
      ext: filename.endsWith('ts') ? '.ts' : '.mjs',
      async: true,
    })) as Record<string, unknown>;
  } catch (error) {
    throw new ModelError(id, `module ${file} can't be loaded: ${describeError(error)}`, { cause: error });
  }
  const found = exported[name] ?? (exported['default'] as Record<string, unknown> | undefined)?.[name];
  if (typeof found !== 'function') throw new ModelError(id, `module ${file} exports no function "${name}"`);
  return found as F;
}
