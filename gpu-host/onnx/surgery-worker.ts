/** A thread for one cut: a large graph takes a second to read, and neither the device nor the event loop should wait for that. */
import { ModelError } from '../../contracts/index.ts';
import { cutsOf, readModel, splitAt, writeModel } from '../graph/index.ts';
import { ownBytes } from '../tensors.ts';
import { serve, type Served } from './serve.ts';

/** One side of a cut, as an ONNX file. */
export interface CutSide {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The whole structural hash of what lies before the cut: ids hold only its beginning. */
  readonly hash: string;
  /** Input of the prefix → the model's. */
  readonly inputs: ReadonlyMap<string, string>;
}

async function split(argument: {
  model: string;
  graph: Uint8Array;
  cut: string;
  side: 'prefix' | 'suffix';
}): Promise<Served<CutSide>> {
  const { model, graph, cut, side } = argument;
  const whole = readModel(graph, { name: model });
  const place = cutsOf(whole).cuts.find(({ hash }) => hash.startsWith(cut));
  if (!place) throw new ModelError(model, `can't be cut at ${cut}`);
  const parts = splitAt(whole, place);
  const bytes = ownBytes(writeModel(parts[side]));
  return { value: { bytes, hash: place.hash, inputs: parts.inputs }, transfer: [bytes.buffer] };
}

const functions = { split };
export type SurgeryFunctions = typeof functions;

serve(functions, { serial: true });
