/** A thread for what surrounds a run: decoding, normalising, and reading the outputs. User modules live here too. */
import { ModelError, type ModelDocument, type Output, type Payload } from '../../contracts/index.ts';
import { openPostprocessor, type Postprocessor } from '../post/index.ts';
import { openPreprocessor, type Preprocessor } from '../pre/index.ts';
import type { InputInfo, PreprocessedInput } from '../pre/input.ts';
import { sliceOutputs } from '../post/slice.ts';
import { toFault, type Fault } from './fault.ts';
import type { Graph } from './graph.ts';
import { serve, type Served } from './serve.ts';
import type { RanGroup } from './session-worker.ts';

interface Surroundings {
  readonly id: string;
  readonly pre: Preprocessor;
  readonly post: Postprocessor;
}
const models = new Map<number, Surroundings>();

const surroundingsOf = (handle: number): Surroundings => {
  const found = models.get(handle);
  if (!found) throw new ModelError(`#${handle}`, 'is not loaded any more');
  return found;
};

async function open(argument: {
  handle: number;
  id: string;
  document: ModelDocument;
  graph: Graph;
  files: Readonly<Record<string, Uint8Array>>;
}): Promise<Served<null>> {
  const { handle, id, document, graph, files } = argument;
  const pre = await openPreprocessor({ id, document, inputs: graph.inputs, files });
  const outputNames = graph.outputs.map(output => output.name);
  models.set(handle, { id, pre, post: await openPostprocessor({ id, document, outputNames, files }) });
  return { value: null };
}

async function prepare(argument: { handle: number; payload: Payload }): Promise<Served<PreprocessedInput>> {
  const value = await surroundingsOf(argument.handle).pre(argument.payload);
  return { value, transfer: value.feeds.map(feed => feed.data.buffer) };
}

/** An answer, or a fault, for each input of the batch. */
async function postprocess(argument: {
  handle: number;
  infos: readonly InputInfo[];
  groups: readonly RanGroup[];
}): Promise<Served<(Output | { fault: Fault })[]>> {
  const { id, post } = surroundingsOf(argument.handle);
  const value = await Promise.all(
    argument.infos.map(async (info, index) => {
      try {
        return await post(sliceOutputs(id, argument.groups, index), info);
      } catch (error) {
        return { fault: toFault(error) };
      }
    }),
  );
  return { value, transfer: value.flatMap(buffersOf) };
}

/** Raw outputs were copied out of the batch, each into a buffer of its own: these move. */
const buffersOf = (answer: Output | { fault: Fault }): ArrayBuffer[] =>
  'kind' in answer && answer.kind === 'tensors'
    ? Object.values(answer.tensors).map(tensor => tensor.data.buffer as ArrayBuffer)
    : [];

async function close({ handle }: { handle: number }): Promise<Served<null>> {
  models.delete(handle);
  return { value: null };
}

const functions = { open, prepare, postprocess, close };
export type PixelsFunctions = typeof functions;

serve(functions, { serial: false });
