import type { Cut, StoredModel } from '../contracts/index.ts';
import { cutsOf, GraphError, readModel } from './graph/index.ts';

/** The deepest: what an entry of the catalogue may take is bounded. */
const CUTS_MAX = 2048;
const DIGITS = 12;
const TENSOR_DIGITS = 16;

/**
 * A packed model together with the places where its graph may be cut, so that planners never read graphs. Cuts inside of what
 * onnxruntime fuses are left out. A graph that can't be read has none: loading it tells what is wrong. Takes up to a second.
 */
export function withCuts(stored: StoredModel, graph: Uint8Array): StoredModel {
  const found = cutsIn(stored.id, graph);
  const cuts = [...(stored.cuts ?? []), ...found.slice(-CUTS_MAX)];
  return cuts.length === 0 ? stored : { ...stored, cuts };
}

function cutsIn(model: string, graph: Uint8Array): Cut[] {
  try {
    const { cuts } = cutsOf(readModel(graph, { name: model }));
    return cuts
      .filter(({ insideFusion }) => !insideFusion)
      .map(({ hash, trunk, tensors, prefix, suffix, share }): Cut => {
        const crossing = tensors.map(({ bytesPerInput }) => bytesPerInput);
        const known = crossing.every(bytes => bytes !== null);
        return {
          cut: hash.slice(0, DIGITS),
          trunk: trunk.slice(0, DIGITS),
          tensors: tensors.map(({ hash, bytesPerInput: bytes }) => {
            const tensor = hash.slice(0, TENSOR_DIGITS);
            return bytes === null ? { tensor } : { tensor, bytes };
          }),
          emulated: false,
          prefixBytes: prefix.parameterBytes,
          suffixBytes: suffix.parameterBytes,
          ...(known ? { crossingBytes: crossing.reduce((sum, bytes) => sum + bytes, 0) } : {}),
          computeShare: share,
        };
      });
  } catch (error) {
    if (error instanceof GraphError) return [];
    throw error;
  }
}
