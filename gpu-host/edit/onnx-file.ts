import type { GraphProto } from 'onnx-buf';
import { ConfigError } from '../../contracts/index.ts';
import { GraphError, readModel, writeModel, type OnnxModel } from '../graph/index.ts';
import type { ModelFiles } from '../device.ts';
import { changed } from './graph-edit.ts';

/** A model whose graph is to be edited. */
export interface OpenModel {
  readonly model: OnnxModel;
  readonly graph: GraphProto;
  /** Version of ONNX's own operators. */
  readonly opset: number;
  /** Of the file. */
  readonly bytes: number;
}

/** @throws ConfigError when its file is no ONNX, or a damaged one */
export async function openModel(files: ModelFiles): Promise<OpenModel> {
  const { id, document } = files;
  const bytes = await files.read(document.file);
  try {
    const model = readModel(bytes, { name: id });
    const { graph, opsetImport } = model.proto;
    const opset = Number(opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0);
    return { model, graph: graph!, opset, bytes: bytes.byteLength };
  } catch (error) {
    if (error instanceof GraphError) throw new ConfigError(error.message, { file: document.file }, { cause: error });
    throw error;
  }
}

/** The file of a model with another graph. */
export const closeModel = ({ model: { name, proto, external } }: OpenModel, graph: GraphProto): Uint8Array =>
  writeModel({ name, proto: changed(proto, { graph }), external });
