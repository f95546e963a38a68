import { ConfigError } from '../../contracts/index.ts';
import { freeBatch, GraphError, hasBatchOfOne, readModel, writeModel, type OnnxModel } from '../graph/index.ts';

/**
 * A graph that was exported for a batch of 1, for batches of any size; undefined where it isn't one of those, or none that can be
 * read: loading it tells why.
 * @throws ConfigError why its batch can't be free
 */
export function withFreeBatch(graph: Uint8Array, name: string): Uint8Array | undefined {
  const model = readable(graph, name);
  if (!model || !hasBatchOfOne(model)) return undefined;
  try {
    return writeModel(freeBatch(model));
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    throw new ConfigError(
      `the graph is made for a batch of 1, and for more it can't be changed: ${error.message}`,
      { field: 'batchMax', remedy: 'set batchMax: 1, or export it with a symbolic batch' },
      { cause: error },
    );
  }
}

function readable(graph: Uint8Array, name: string): OnnxModel | undefined {
  try {
    return readModel(graph, { name });
  } catch (error) {
    if (error instanceof GraphError) return undefined;
    throw error;
  }
}
