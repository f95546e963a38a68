import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, type ModelProto, type GraphProto } from 'onnx-buf';
import { describeError, ModelError } from '../../contracts/index.ts';
import { changed } from './graph-edit.ts';

/** A model that holds a graph. */
export type OpenModel = ModelProto & { graph: GraphProto };
/** @throws ModelError when it is no ONNX file */
export function openModel(id: string, bytes: Uint8Array): OpenModel {
  try {
    const model = fromBinary(ModelProtoSchema, bytes);
    if (model.graph) return model as OpenModel;
  } catch (error) {
    throw new ModelError(id, `is no ONNX file: ${describeError(error)}`, { cause: error });
  }
  throw new ModelError(id, 'holds no graph');
}
/** The file of a model with another graph. */
export const closeModel = (model: OpenModel, graph: GraphProto): Uint8Array =>
  toBinary(ModelProtoSchema, changed<ModelProto>(model, { graph }));

/** Of the operators of ONNX itself. */
export const opsetOf = ({ opsetImport }: ModelProto): number =>
  Number(opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0);
