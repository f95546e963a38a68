import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, type ModelProto, type TensorProto } from 'onnx-buf';
import { describeError } from '../../contracts/index.ts';
import { checkModel } from './check.ts';
import { encodeModel } from './encode.ts';
import { GraphError } from './error.ts';
import { scan } from './scan.ts';
import { bytesOfElements, elementsOf, isExternal, type External } from './tensor.ts';
import { tensorsOf } from './walk.ts';

/** A decoded model. Surgery never changes one: it makes new ones, which share the weights' bytes with the old. */
export interface OnnxModel {
  /** For messages. */
  readonly name: string;
  /** As onnx-buf decodes it. Not to be changed; weights are views on the file. */
  readonly proto: ModelProto;
  /** Contents of side files. */
  readonly external: External;
  /** The file, where the model is as it was read. */
  readonly source?: Uint8Array;
}

export interface ReadOptions {
  /** For messages; default `graph`. */
  readonly name?: string;
  /**
   * Content of a side file with weights. `location` is relative to the model's file, without `..`. Called once per file.
   * Default: models with side files are refused.
   */
  readonly readExternal?: (location: string) => Uint8Array;
}

const FILE_BYTES_MAX = 2 ** 31 - 1;

/**
 * Decodes and checks a model: names resolve, no cycles, tensors as large as their dims say. The bytes are kept as views: don't change them.
 * @throws GraphError what is wrong and where; nothing else, whatever the bytes are
 */
export function readModel(bytes: Uint8Array, { name = 'graph', readExternal }: ReadOptions = {}): OnnxModel {
  if (bytes.length === 0) throw new GraphError(name, 'file', 'is empty');
  if (bytes.length > FILE_BYTES_MAX) throw new GraphError(name, 'file', `is larger than ${FILE_BYTES_MAX} bytes`);
  scan(name, bytes);
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new GraphError(name, 'file', `can't be decoded: ${describeError(error)}`, { cause: error });
  }
  const external = sideFiles(name, proto, readExternal);
  checkModel(name, proto, external);
  return { name, proto, external, source: bytes };
}

/**
 * The file of a model. One that is as it was read gives the bytes that it was read from. Side files are still needed for such a model; parts made
 * by surgery hold their weights themselves.
 * @throws GraphError larger than 2 GiB
 */
export function writeModel(model: OnnxModel): Uint8Array {
  if (model.source) return model.source;
  try {
    return encodeModel(model.proto);
  } catch (error) {
    throw new GraphError(model.name, 'file', `can't be written: ${describeError(error)}`, { cause: error });
  }
}

function sideFiles(name: string, proto: ModelProto, read: ReadOptions['readExternal']): External {
  const files = new Map<string, Uint8Array>();
  const external = new Map<TensorProto, Uint8Array>();
  const initialisers = new Set(proto.graph?.initializer);
  for (const tensor of tensorsOf(proto)) {
    if (!isExternal(tensor)) continue;
    const where = `tensor "${tensor.name}"`;
    const refuse = (detail: string): never => {
      throw new GraphError(name, where, detail);
    };
    if (!initialisers.has(tensor)) refuse('lies in a side file, which only initialisers of the main graph may');
    const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
    const location = entries.get('location') ?? '';
    if (
      !location ||
      /^([/\\]|[a-z]:)/i.test(location) ||
      location.split(/[/\\]/).includes('..') ||
      location.includes('\0')
    )
      refuse(`names the side file "${location}", which isn't a path below the model's folder`);
    if (!read) return refuse(`lies in the side file "${location}", and there is no way given to read it`);
    let file = files.get(location);
    if (!file) {
      try {
        file = read(location);
      } catch (error) {
        throw new GraphError(name, where, `side file "${location}" can't be read: ${describeError(error)}`, {
          cause: error,
        });
      }
      files.set(location, file);
    }
    const wholeNumber = (key: string, otherwise: number): number => {
      const text = entries.get(key);
      if (text === undefined) return otherwise;
      const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
      return value >= 0 ? value : refuse(`has the ${key} "${text}", which is no size`);
    };
    const offset = wholeNumber('offset', 0);
    const needed = bytesOfElements(tensor.dataType, elementsOf(tensor)) ?? 0;
    const length = wholeNumber('length', needed);
    if (offset + length > file.length)
      refuse(`asks for bytes ${offset} to ${offset + length} of "${location}", which has ${file.length}`);
    external.set(tensor, file.subarray(offset, offset + length));
  }
  return external;
}
