import type { ModelDocument } from '../../contracts/index.ts';
import { bytesOf, isTensorType, sizeOfDims, type TensorType } from '../tensors.ts';
import type { Graph, GraphFacts, GraphTensor } from './graph.ts';

/**
 * onnxruntime tells nobody what a session takes, and the process's resident memory moves with everything else in it. So
 * memory is reckoned, on the safe side of what was seen: PP-OCRv4 detection (4.7 MB, 640×352) took 45 MB when loaded and 72 MB
 * for each input of a run, recognition (10.8 MB) 65 MB and 8 MB. `ephemeralMB` of the manifest, where given, is believed instead.
 */
export interface MemoryAccount {
  readonly persistentBytes: number;
  ephemeralBytes(batch: number): number;
}

/** Weights once more as packed for the kernels, and the session's own structures. */
const PERSISTENT_FACTOR = 3;
const PERSISTENT_FIXED = 16e6;
/** Activations alive at once, as a multiple of the input. */
const ACTIVATIONS_FACTOR = 32;
const EPHEMERAL_FIXED = 8e6;
/**
 * Of a suffix: a session beside others takes little but its weights. Of PP-OCRv4 recognition ten heads of 6 KB took nothing that could be
 * measured, of 3.2 MB 8 MB each, suffixes of 250 to 530 nodes 1.1 to 1.9 times their files.
 */
const SUFFIX_FIXED = 1e5;
const NODE_BYTES = 4e3;
/** What a suffix computes with, as a multiple of what it gives. */
const SUFFIX_FACTOR = 4;
/** For a dimension that may vary and that the manifest does not fix either. */
const DIMENSION_GUESS = 64;

export function accountOf(document: ModelDocument, graph: Graph, modelBytes: number): MemoryAccount {
  const outputBytes = sumOf(graph.outputs);
  return {
    persistentBytes: Math.round(modelBytes * PERSISTENT_FACTOR + PERSISTENT_FIXED),
    ephemeralBytes: ephemeralOf(
      document,
      batch => EPHEMERAL_FIXED + batch * (activationsOf(document, graph) + outputBytes),
    ),
  };
}

/** Of the part before a cut; `crossingBytes` leave it for each input. */
export const accountOfPrefix = (
  document: ModelDocument,
  graph: Graph,
  { prefixBytes, crossingBytes }: { readonly prefixBytes: number; readonly crossingBytes: number },
): MemoryAccount => ({
  persistentBytes: Math.round(prefixBytes * PERSISTENT_FACTOR + PERSISTENT_FIXED),
  ephemeralBytes: ephemeralOf(
    document,
    batch => EPHEMERAL_FIXED + batch * (activationsOf(document, graph) + crossingBytes),
  ),
});

/** Of the part behind a cut, a file of so many bytes and nodes; `held` bytes cross it for the largest mixed batch, and stay while its suffixes run. */
export const accountOfSuffix = (
  document: ModelDocument,
  graph: Graph,
  { suffixBytes, nodes, held }: { readonly suffixBytes: number; readonly nodes: number; readonly held: number },
): MemoryAccount => ({
  persistentBytes: Math.round(suffixBytes * PERSISTENT_FACTOR + nodes * NODE_BYTES + SUFFIX_FIXED),
  ephemeralBytes: ephemeralOf(document, batch => EPHEMERAL_FIXED + held + batch * SUFFIX_FACTOR * sumOf(graph.outputs)),
});

/** Of what crosses a cut, for one input. */
export const crossingBytesOf = (tensors: GraphFacts['outputs']): number =>
  tensors.reduce((sum, { type, dims }) => sum + (isTensorType(type) ? bytesIn(type, dims) : 0), 0);

/** Or as the manifest says, for the whole model or any part of it. */
const ephemeralOf =
  ({ ephemeralMB }: ModelDocument, reckoned: (batch: number) => number) =>
  (batch: number): number =>
    Math.round(ephemeralMB ? (ephemeralMB.fixed + ephemeralMB.perItem * batch) * 1e6 : reckoned(batch));

const bytesIn = (type: TensorType, dims: GraphTensor['dims']): number =>
  sizeOfDims(dims.slice(1).map(dim => (typeof dim === 'number' && dim > 0 ? dim : DIMENSION_GUESS))) * bytesOf(type);
const sumOf = (tensors: readonly GraphTensor[]): number =>
  tensors.reduce((sum, { type, dims }) => sum + bytesIn(type, dims), 0);

/** For one input. */
function activationsOf({ preprocess }: ModelDocument, graph: Graph): number {
  const inputBytes =
    preprocess.kind === 'picture'
      ? preprocess.width * preprocess.height * (preprocess.color === 'gray' ? 1 : 3) * 4
      : sumOf(graph.inputs);
  return inputBytes * ACTIVATIONS_FACTOR;
}
