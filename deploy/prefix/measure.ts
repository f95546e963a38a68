import {
  describeError,
  DeviceError,
  InputError,
  ModelError,
  type Clock,
  type ModelDocument,
  type Payload,
  type Tensor,
} from '../../contracts/index.ts';
import { writeModel, type SharedCut } from '../../gpu-host/graph/index.ts';
import type { Device, LoadedModel, ModelFiles, Prepared, RunResult } from '../../gpu-host/index.ts';
import { proposals, shareOf } from './cuts.ts';
import type { NamedModel } from './read.ts';
import type { StudiedGroup, Study } from './study.ts';

/** What runs of the member with most behind the cut took: medians, ms on the device. */
export interface MeasuredRun {
  readonly batch: number;
  readonly wholeMs: number;
  readonly prefixMs: number;
  readonly suffixMs: number;
}

export interface MeasuredCut {
  readonly member: string;
  readonly runs: readonly MeasuredRun[];
  /** Why there are none. */
  readonly error: string | undefined;
}

/** By the hash of the cut. */
export type Measured = ReadonlyMap<string, MeasuredCut>;

export interface MeasureOptions {
  readonly device: Device;
  readonly clock: Clock;
  /** The larger batch; models that take less are run with what they take. */
  readonly batchMax: number;
  readonly onProgress: (done: number, all: number) => void;
}

const ROUNDS_MAX = 7;
const ROUNDS_MIN = 3;
const CUT_MS_MAX = 3000;
/** Of a dimension that nothing tells, as in the estimates. */
const DIMENSION = 256;

/**
 * Runs the parts on either side of each proposed cut as a host would, and the whole beside them by turns: what else the machine does meets all alike, so
 * that ratios hold where times don't. A model that can't run says why.
 */
export async function measureCuts(
  { groups }: Study,
  models: readonly NamedModel[],
  options: MeasureOptions,
): Promise<Measured> {
  const jobs = groups.flatMap(jobsOf);
  const measured = new Map<string, MeasuredCut>();
  for (const [done, { cut, member }] of jobs.entries()) {
    options.onProgress(done, jobs.length);
    const model = models.find(({ name }) => name === member)!;
    try {
      measured.set(cut.hash, { member, runs: await measureCut(model, cut, options), error: undefined });
    } catch (error) {
      if (!(error instanceof ModelError || error instanceof InputError || error instanceof DeviceError)) throw error;
      measured.set(cut.hash, { member, runs: [], error: describeError(error) });
    }
  }
  options.onProgress(jobs.length, jobs.length);
  return measured;
}

interface Job {
  readonly cut: SharedCut;
  /** With most behind the cut. */
  readonly member: string;
}

const jobsOf = (studied: StudiedGroup): Job[] => [
  ...proposals(studied).map(cut => {
    const least = shareOf(cut);
    return { cut, member: Object.keys(cut.shares).find(name => cut.shares[name] === least)! };
  }),
  ...studied.inner.flatMap(jobsOf),
];

async function measureCut(model: NamedModel, cut: SharedCut, options: MeasureOptions): Promise<MeasuredRun[]> {
  const { device, clock } = options;
  const files = model.files ?? filesOf(model, options.batchMax);
  const batchMax = Math.min(files.document.batchMax, options.batchMax);
  const tensors = cut.tensors.map(({ hash }) => hash);
  const loaded: LoadedModel[] = [];
  const keep = <T extends LoadedModel>(one: T): T => {
    loaded.unshift(one); // a prefix goes after its suffix
    return one;
  };
  try {
    const whole = keep(await device.load(files, { batchMax }));
    const prefix = keep(await device.loadPrefix(files, { cut: cut.hash.slice(0, 12), tensors, batchMax }));
    const suffix = keep(await prefix.loadSuffix(files, { batchMax }));
    const payload = model.files ? undefined : payloadOf(model);
    const times = (of: LoadedModel, batch: number) => timesOf(of, batch, payload);
    const runs: MeasuredRun[] = [];
    for (const batch of new Set([1, batchMax])) {
      await times(whole, batch);
      await times(suffix, batch);
      const endMs = clock.nowMs() + CUT_MS_MAX / 2;
      const [wholes, prefixes, suffixes]: number[][] = [[], [], []];
      for (let round = 0; round < ROUNDS_MAX && (round < ROUNDS_MIN || clock.nowMs() < endMs); round++) {
        wholes!.push((await times(whole, batch)).runMs);
        const { prefixMs, runMs } = await times(suffix, batch);
        prefixes!.push(prefixMs ?? 0);
        suffixes!.push(runMs);
      }
      runs.push({ batch, wholeMs: median(wholes!), prefixMs: median(prefixes!), suffixMs: median(suffixes!) });
    }
    return runs;
  } finally {
    for (const one of loaded) await one.release();
  }
}

async function timesOf(model: LoadedModel, batch: number, payload: Payload | undefined): Promise<RunResult> {
  const one = async (): Promise<Prepared> => (payload ? model.prepare(payload) : model.blank());
  return model.run(await Promise.all(Array.from({ length: batch }, one)));
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const GRAPH = 'graph.onnx';

/** An ONNX file by itself: tensors in, tensors out. */
function filesOf({ name, model, fixedBatch }: NamedModel, batchMax: number): ModelFiles {
  const document: ModelDocument = {
    kind: 'Model',
    name,
    version: 'file',
    file: GRAPH,
    licence: 'unknown',
    source: 'file',
    preprocess: { kind: 'tensors' },
    postprocess: { kind: 'tensors' },
    batchMax: fixedBatch === undefined ? batchMax : 1,
  };
  const bytes = writeModel(model);
  return { id: `${name}@000000000000`, document, read: async () => Uint8Array.from(bytes) };
}

const TYPES: Readonly<Record<number, Tensor['type']>> = { 1: 'float32', 2: 'uint8', 6: 'int32', 7: 'int64', 9: 'bool' };
const BYTES: Readonly<Record<Tensor['type'], number>> = { float32: 4, uint8: 1, int32: 4, int64: 8, bool: 1 };

/** One input of a file: zeros where they are numbers to look up, small numbers where they are values. @throws InputError */
function payloadOf({ name, model, dims }: NamedModel): Payload {
  const { input, initializer } = model.proto.graph!;
  const initialised = new Set(initializer.map(one => one.name));
  const tensors: Record<string, Tensor> = {};
  for (const { name: tensor, type: info } of input) {
    if (initialised.has(tensor)) continue;
    const own = info?.value.case === 'tensorType' ? info.value.value : undefined;
    const type = own && TYPES[own.elemType];
    if (!own?.shape || !type) throw new InputError(`input "${tensor}" of ${name} is no tensor that can be made up`);
    const shape = own.shape.dim
      .slice(1)
      .map(({ value }, i) => dims[tensor]?.[i + 1] ?? (value.case === 'dimValue' ? Number(value.value) : DIMENSION));
    const data = new Uint8Array(shape.reduce((size, dim) => size * dim, 1) * BYTES[type]);
    if (type === 'float32') new Float32Array(data.buffer).forEach((_, i, values) => (values[i] = Math.sin(i)));
    tensors[tensor] = { type, dims: shape, data };
  }
  return { encoding: 'tensors', tensors };
}
