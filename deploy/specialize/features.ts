import {
  ConfigError,
  describeError,
  InputError,
  type ModelDocument,
  type Output,
  type Tensor,
} from '../../contracts/index.ts';
import type { Device, ModelFiles } from '../../gpu-host/index.ts';
import { readPicture } from '../annotate/index.ts';
import { cutAt, pooled, type Cutting } from './head.ts';
import type { Matrix } from './linear-algebra.ts';
import { closeModel, type OpenModel } from '../../gpu-host/edit/index.ts';

/** 256 MB of float64. */
const VALUES_MAX = 32_000_000;
const PROBLEMS_SHOWN = 10;
const GRAPH = 'features.onnx';

export interface FeatureOptions {
  readonly device: Device;
  readonly onProgress: (done: number, all: number) => void;
}

/**
 * Puts what is needed behind a tensor of a backbone to have one vector for each input.
 * @throws ConfigError: no such tensor, or none that is a vector, map or sequence
 */
export async function featureGraph(
  files: ModelFiles,
  model: OpenModel,
  tensor: string,
  device: Device,
): Promise<Cutting> {
  const cutting = cutAt(model.graph, tensor);
  const loaded = await device.load(asFeatures(files, model, cutting), { batchMax: 1 });
  try {
    const { outputs } = await loaded.run([await loaded.blank()]);
    return pooled(cutting, 1 + tensorOf(outputs[0], tensor).dims.length, model.opset);
  } finally {
    await loaded.release();
  }
}

/**
 * The features of pictures, [pictures, features], through the backbone's own preprocessing.
 * @throws ConfigError naming the pictures that can't be read
 */
export async function featuresOf(
  files: ModelFiles,
  model: OpenModel,
  cutting: Cutting,
  paths: readonly string[],
  { device, onProgress }: FeatureOptions,
): Promise<Matrix> {
  const { batchMax } = files.document;
  const loaded = await device.load(asFeatures(files, model, cutting), { batchMax });
  const problems: string[] = [];
  let columns = 0;
  let values = new Float64Array(0);
  try {
    for (let from = 0; from < paths.length; from += batchMax) {
      const batch = paths.slice(from, from + batchMax);
      const prepared = await Promise.allSettled(batch.map(async path => loaded.prepare(await readPicture(path))));
      const good = prepared.flatMap((result, i) => {
        if (result.status === 'fulfilled') return [result.value];
        problems.push(problemOf(batch[i]!, result.reason));
        return [];
      });
      if (problems.length > 0) continue; // go on to find all that can't be read
      const { outputs } = await loaded.run(good);
      outputs.forEach((output, i) => {
        const { type, data } = tensorOf(output, cutting.output);
        if (type !== 'float32')
          throw new ConfigError(`tensor "${cutting.output}" is ${type}, features are float32`, { field: '--features' });
        const own = new Float32Array(Uint8Array.from(data).buffer);
        if (columns === 0) {
          columns = own.length;
          checkSize(paths.length, columns);
          values = new Float64Array(paths.length * columns);
        }
        if (own.length !== columns || !own.every(Number.isFinite))
          throw new ConfigError(`gives ${own.length} features, not ${columns} finite ones`, { file: batch[i]! });
        values.set(own, (from + i) * columns);
      });
      onProgress(from + batch.length, paths.length);
    }
  } finally {
    await loaded.release();
  }
  if (problems.length > 0) {
    const more = problems.length > PROBLEMS_SHOWN ? [`… and ${problems.length - PROBLEMS_SHOWN} more`] : [];
    const listed = [...problems.slice(0, PROBLEMS_SHOWN), ...more].map(line => `\n  ${line}`).join('');
    throw new ConfigError(`${problems.length} of ${paths.length} pictures can't be used:${listed}`, {
      remedy: 'repair them or take them out',
    });
  }
  return { rows: paths.length, columns, values };
}

/** The backbone with another graph, which gives the raw tensor. */
function asFeatures(files: ModelFiles, model: OpenModel, { graph }: Cutting): ModelFiles {
  const bytes = closeModel(model, graph);
  const document: ModelDocument = { ...files.document, file: GRAPH, postprocess: { kind: 'tensors' } };
  return { id: files.id, document, read: async name => (name === GRAPH ? bytes : files.read(name)) };
}

function tensorOf(output: Output | Error | undefined, name: string): Tensor {
  if (output instanceof Error) throw output;
  const tensor = output?.kind === 'tensors' ? output.tensors[name] : undefined;
  if (!tensor) throw new Error(`the device gave no tensor "${name}"`);
  return tensor;
}

function problemOf(path: string, error: unknown): string {
  if (error instanceof InputError) return `${path}: ${error.message}`;
  if (error instanceof ConfigError) return error.message;
  throw error instanceof Error ? error : new Error(describeError(error));
}

function checkSize(pictures: number, features: number): void {
  if (pictures * features > VALUES_MAX)
    throw new ConfigError(
      `${pictures} pictures with ${features} features are ${pictures * features} numbers, at most ${VALUES_MAX} are fitted`,
      { field: '--features', remedy: 'name a smaller tensor, or give fewer pictures' },
    );
}
