import type { ModelDocument } from '../../contracts/index.ts';
import { bytesOf, sizeOfDims } from '../tensors.ts';
import type { Graph, GraphTensor } from './graph.ts';

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
/** For a dimension that may vary and that the manifest does not fix either. */
const DIMENSION_GUESS = 64;

export function accountOf(document: ModelDocument, graph: Graph, modelBytes: number): MemoryAccount {
  const { preprocess, ephemeralMB } = document;
  const bytes = ({ type, dims }: GraphTensor): number =>
    sizeOfDims(dims.slice(1).map(dim => (typeof dim === 'number' ? dim : DIMENSION_GUESS))) * bytesOf(type);
  const inputBytes =
    preprocess.kind === 'picture'
      ? preprocess.width * preprocess.height * (preprocess.color === 'gray' ? 1 : 3) * 4
      : graph.inputs.reduce((sum, tensor) => sum + bytes(tensor), 0);
  const outputBytes = graph.outputs.reduce((sum, tensor) => sum + bytes(tensor), 0);
  return {
    persistentBytes: Math.round(modelBytes * PERSISTENT_FACTOR + PERSISTENT_FIXED),
    ephemeralBytes: batch =>
      Math.round(
        ephemeralMB
          ? (ephemeralMB.fixed + ephemeralMB.perItem * batch) * 1e6
          : EPHEMERAL_FIXED + batch * (inputBytes * ACTIVATIONS_FACTOR + outputBytes),
      ),
  };
}
