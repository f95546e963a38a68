/** The thread that owns the onnxruntime sessions of a device. Nothing else touches onnxruntime. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describeError, ModelError } from '../../contracts/index.ts';
import type { Feed } from '../pre/input.ts';
import { bytesBehind, ownBytes, type Numbers, type TensorType } from '../tensors.ts';
import { groups, joinFeeds } from './assemble.ts';
import type { GraphFacts } from './graph.ts';
import { sessionOptions, type ProviderSettings } from './provider.ts';
import { probeGraph } from './probe-graph.ts';
import { serve, type Served } from './serve.ts';
import { stopwatch } from './stopwatch.ts';

/** Outputs of those inputs of a batch that ran together. */
export interface RanGroup {
  /** Positions in the batch. */
  readonly indices: readonly number[];
  readonly outputs: readonly RanTensor[];
}
export interface RanTensor {
  readonly name: string;
  readonly type: TensorType;
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

interface Resident {
  readonly model: string;
  readonly session: InferenceSession;
}
const residents = new Map<number, Resident>();
let nextHandle = 1;

const facts = (all: readonly InferenceSession.ValueMetadata[]) =>
  all.map(one => ({
    name: one.name,
    type: one.isTensor ? one.type : 'no tensor',
    dims: one.isTensor ? one.shape : [],
  }));

/** Runs the smallest of graphs: a provider whose libraries are missing fails here, not with the first model. */
async function probe(settings: ProviderSettings): Promise<Served<null>> {
  const session = await InferenceSession.create(probeGraph(), sessionOptions(settings));
  try {
    await session.run({ x: new Tensor('float32', Float32Array.of(1), [1]) });
  } finally {
    await session.release();
  }
  return { value: null };
}

async function load(argument: {
  model: string;
  graph: Uint8Array;
  settings: ProviderSettings;
}): Promise<Served<{ handle: number } & GraphFacts>> {
  const { model, graph, settings } = argument;
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(graph, sessionOptions(settings));
  } catch (error) {
    const bytes = `${graph.byteLength} bytes`;
    throw new ModelError(model, `the ONNX file (${bytes}) can't be loaded: ${describeError(error)}`, { cause: error });
  }
  const handle = nextHandle++;
  residents.set(handle, { model, session });
  return { value: { handle, inputs: facts(session.inputMetadata), outputs: facts(session.outputMetadata) } };
}

const residentOf = (handle: number): Resident => {
  const resident = residents.get(handle);
  if (!resident) throw new ModelError(`#${handle}`, 'is not loaded any more');
  return resident;
};

async function run(argument: {
  handle: number;
  inputs: readonly (readonly Feed[])[];
  outputs: readonly string[];
}): Promise<Served<{ runMs: number; groups: RanGroup[] }>> {
  const { model, session } = residentOf(argument.handle);
  const elapsed = stopwatch();
  const ran: RanGroup[] = [];
  for (const indices of groups(argument.inputs)) {
    const members = indices.map(index => argument.inputs[index]!);
    const feeds = Object.fromEntries(
      members[0]!.map((_, position) => {
        const { name, type, dims, data } = joinFeeds(members.map(feeds => feeds[position]!));
        return [name, new Tensor(type, data as Float32Array, dims)];
      }),
    );
    let results: InferenceSession.OnnxValueMapType;
    try {
      results = await session.run(feeds, argument.outputs);
    } catch (error) {
      throw new ModelError(model, `a run of ${indices.length} failed: ${describeError(error)}`, { cause: error });
    }
    ran.push({ indices, outputs: argument.outputs.map(name => plain(name, results[name] as Tensor)) });
  }
  const transfer = ran.flatMap(group => group.outputs.map(output => output.data.buffer as ArrayBuffer));
  return { value: { runMs: elapsed(), groups: ran }, transfer: [...new Set(transfer)] };
}

/** A tensor of onnxruntime's in buffers of our own where they are shared with nothing else. */
function plain(name: string, { type, dims, data }: Tensor): RanTensor {
  const bytes = bytesBehind(data as Numbers);
  const alone = bytes.byteLength === bytes.buffer.byteLength;
  return { name, type: type as TensorType, dims, data: alone ? bytes : ownBytes(bytes) };
}

async function release({ handle }: { handle: number }): Promise<Served<null>> {
  const resident = residents.get(handle);
  residents.delete(handle);
  await resident?.session.release();
  return { value: null };
}

const functions = { probe, load, run, release };
export type SessionFunctions = typeof functions;

serve(functions, {
  serial: true,
  onExit: async () => {
    for (const handle of residents.keys()) await release({ handle });
  },
});
