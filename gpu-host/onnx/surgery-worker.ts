/** The thread that cuts: a large graph takes a second to read, and neither the device nor the event loop should wait for that. */
import { ModelError } from '../../contracts/index.ts';
import {
  GraphError,
  splitAt,
  suffixAt,
  tensorsAt,
  writeModel,
  type CutPlace,
  type Hash,
  type OnnxModel,
} from '../graph/index.ts';
import { ownBytes } from '../tensors.ts';
import { Readings } from './readings.ts';
import { serve, type Served } from './serve.ts';

/** What lies before a cut, or behind it, as an ONNX file. */
export interface Part {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of the graph. */
  readonly nodes: number;
  /** Input of the prefix → the model's. */
  readonly inputs: ReadonlyMap<string, string>;
}

export interface PrefixPart extends Part {
  /** Whole structural hashes of what crosses: ids hold only a beginning of theirs. */
  readonly tensors: readonly Hash[];
}

interface Given {
  /** For messages. */
  readonly model: string;
  readonly graph: Uint8Array;
  readonly cut: string;
}

const READINGS_BYTES_MAX = 64e6;
const readings = new Readings(READINGS_BYTES_MAX);

/** `tensors`: beginnings of the hashes of what the prefix gives; default: what crosses this cut of the model's own. */
async function prefix(
  argument: Given & { readonly tensors: readonly string[] | undefined },
): Promise<Served<PrefixPart>> {
  const { model, graph, cut } = argument;
  const whole = readings.read(model, graph);
  const tensors = tensorsAt(whole, cut, argument.tensors);
  if (!tensors) throw new ModelError(model, `can't be cut at ${cut}`);
  const { prefix, inputs } = splitAt(whole, placeOf(tensors));
  const { bytes, nodes } = fileOf(prefix);
  return { value: { bytes, nodes, inputs, tensors }, transfer: [bytes.buffer] };
}

/** `tensors`: what the prefix gives. A model that has them all computes all that lies before them as the prefix does. */
async function suffix(argument: Given & { readonly tensors: readonly Hash[] }): Promise<Served<Part>> {
  const { model, graph, cut, tensors } = argument;
  try {
    const { suffix, inputs } = suffixAt(readings.read(model, graph), placeOf(tensors));
    const { bytes, nodes } = fileOf(suffix);
    return { value: { bytes, nodes, inputs }, transfer: [bytes.buffer] };
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    const why = error.message.slice(error.message.indexOf(error.where));
    throw new ModelError(model, `can't be cut at ${cut}: ${why}`, { cause: error });
  }
}

const placeOf = (tensors: readonly Hash[]): CutPlace => ({ tensors: tensors.map(hash => ({ hash })) });

function fileOf(model: OnnxModel): Pick<Part, 'bytes' | 'nodes'> {
  return { bytes: ownBytes(writeModel(model)), nodes: model.proto.graph!.node.length };
}

const functions = { prefix, suffix };
export type SurgeryFunctions = typeof functions;

serve(functions, { serial: true });
