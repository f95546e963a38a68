/** The thread that owns the onnxruntime sessions of a device. Nothing else touches onnxruntime. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describeError, ModelError } from '../../contracts/index.ts';
import type { Feed } from '../pre/input.ts';
import { bytesBehind, ownBytes, type Numbers, type TensorType } from '../tensors.ts';
import { groups, joinFeeds } from './assemble.ts';
import { toFault, type Fault } from './fault.ts';
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
  /** Inputs of several widths run together, the narrow ones filled up. */
  readonly padding: boolean;
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
  // A CPU gains little by batches and computes the padding too: crops 96, 160 and 224 wide take 1.7 times as long in one run of
  // PP-OCRv4's recogniser as one by one. An accelerator is quicker with one run.
  residents.set(handle, { model, session, padding: settings.provider !== 'cpu' });
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
  const resident = residentOf(argument.handle);
  const elapsed = stopwatch();
  const ran: RanGroup[] = [];
  for (const indices of groups(argument.inputs, resident)) {
    const inputs = indices.map(index => argument.inputs[index]!);
    const results = await runSession(resident, inputs, argument.outputs);
    ran.push({ indices, outputs: argument.outputs.map(name => plain(name, results[name] as Tensor)) });
  }
  return { value: { runMs: elapsed(), groups: ran }, transfer: [...new Set(buffersOf(ran))] };
}

const buffersOf = (groups: readonly RanGroup[]): ArrayBuffer[] =>
  groups.flatMap(group => group.outputs.map(output => output.data.buffer as ArrayBuffer));

/** Inputs that can be joined, in one run. */
function runSession(resident: Resident, inputs: readonly (readonly Feed[])[], outputs?: readonly string[]) {
  const feeds = Object.fromEntries(
    inputs[0]!.map((_, position) => {
      const { name, type, dims, data } = joinFeeds(inputs.map(feeds => feeds[position]!));
      return [name, new Tensor(type, data as Float32Array, dims)];
    }),
  );
  return runFeeds(resident, feeds, inputs.length, outputs);
}

async function runFeeds(
  { model, session }: Resident,
  feeds: Record<string, Tensor>,
  size: number,
  outputs: readonly string[] = session.outputNames,
): Promise<InferenceSession.OnnxValueMapType> {
  try {
    return await session.run(feeds, outputs);
  } catch (error) {
    throw new ModelError(model, `a run of ${size} failed: ${describeError(error)}`, { cause: error });
  }
}

/** What one suffix gave: its own time and outputs, or what was wrong with it. */
export type RanMember = { readonly runMs: number; readonly groups: RanGroup[] } | { readonly fault: Fault };

/**
 * The prefix once on the inputs of all members (once for each shape among them), then each suffix on its rows of what crosses, which are
 * views and never leave this thread.
 */
async function runMixed(argument: {
  prefix: number;
  members: readonly {
    suffix: number;
    /** Under the prefix's names. */
    inputs: readonly (readonly Feed[])[];
    outputs: readonly string[];
  }[];
}): Promise<Served<{ runMs: number; prefixMs: number; members: RanMember[] }>> {
  const { members } = argument;
  const prefix = residentOf(argument.prefix);
  const all = members.flatMap(({ inputs }, member) => inputs.map((feeds, index) => ({ member, index, feeds })));
  const ran = members.map(() => ({ runMs: 0, groups: [] as RanGroup[], fault: undefined as Fault | undefined }));
  let prefixMs = 0;
  for (const positions of groups(
    all.map(({ feeds }) => feeds),
    prefix,
  )) {
    const rows = positions.map(position => all[position]!);
    const elapsed = stopwatch();
    const crossing = await runSession(
      prefix,
      rows.map(({ feeds }) => feeds),
    );
    prefixMs += elapsed();
    for (let from = 0; from < rows.length; ) {
      const { member } = rows[from]!;
      const until = rows.findIndex((row, i) => i > from && row.member !== member);
      const its = rows.slice(from, until < 0 ? rows.length : until);
      const { suffix, outputs } = members[member]!;
      const elapsedBehind = stopwatch();
      try {
        const behind = residentOf(suffix);
        const sliced = sliceRows(behind, crossing, { from, count: its.length, of: rows.length });
        const results = await runFeeds(behind, sliced, its.length, outputs);
        ran[member]!.groups.push({
          indices: its.map(({ index }) => index),
          outputs: outputs.map(name => plain(name, results[name] as Tensor)),
        });
      } catch (error) {
        ran[member]!.fault = toFault(error);
      }
      ran[member]!.runMs += elapsedBehind();
      from += its.length;
    }
  }
  const runMs = ran.reduce((sum, member) => sum + member.runMs, prefixMs);
  const value = ran.map(({ runMs, groups, fault }): RanMember => (fault ? { fault } : { runMs, groups }));
  const transfer = value.flatMap(member => ('fault' in member ? [] : buffersOf(member.groups)));
  return { value: { runMs, prefixMs, members: value }, transfer: [...new Set(transfer)] };
}

/** Rows [from, from + count) of each tensor that a suffix takes, not copied. */
function sliceRows(
  { model, session }: Resident,
  crossing: InferenceSession.OnnxValueMapType,
  { from, count, of }: { readonly from: number; readonly count: number; readonly of: number },
): Record<string, Tensor> {
  return Object.fromEntries(
    session.inputNames.map(name => {
      const { type, dims, data } = crossing[name] as Tensor;
      if (dims[0] !== of)
        throw new ModelError(model, `takes "${name}" with dims [${dims.join(',')}] from a batch of ${of}`);
      const each = data.length / of;
      const rows = (data as Float32Array).subarray(from * each, (from + count) * each);
      return [name, new Tensor(type as 'float32', rows, [count, ...dims.slice(1)])];
    }),
  );
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

const functions = { probe, load, run, runMixed, release };
export type SessionFunctions = typeof functions;

serve(functions, {
  serial: true,
  onExit: async () => {
    for (const handle of residents.keys()) await release({ handle });
  },
});
