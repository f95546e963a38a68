import { create, type Message } from '@bufbuild/protobuf';
import {
  NodeProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
  type NodeProto,
  type ValueInfoProto,
} from 'onnx-buf';

/** A message with some fields changed; what it holds is shared with the old one. */
export const changed = <T extends Message>(message: T, changes: Partial<T>): T =>
  Object.assign(Object.create(Object.getPrototypeOf(message) as object) as T, message, changes);

/** A tensor's name, element type and dims; a string among them is symbolic. Without dims not even the rank is told. */
export const valueInfo = (name: string, elemType: number, dims?: readonly (number | string)[]): ValueInfoProto =>
  create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, {
      value: {
        case: 'tensorType',
        value: create(TypeProto_TensorSchema, {
          elemType,
          ...(dims && {
            shape: create(TensorShapeProtoSchema, {
              dim: dims.map(dim =>
                create(TensorShapeProto_DimensionSchema, {
                  value:
                    typeof dim === 'number'
                      ? { case: 'dimValue', value: BigInt(dim) }
                      : { case: 'dimParam', value: dim },
                }),
              ),
            }),
          }),
        }),
      },
    }),
  });

export const identityNode = (input: string, output: string): NodeProto =>
  create(NodeProtoSchema, { opType: 'Identity', input: [input], output: [output] });

/** An input or output whose first axis is symbolic. */
export function withFirstDim(info: ValueInfoProto, symbol: string): ValueInfoProto {
  const value = info.type?.value;
  if (value?.case !== 'tensorType' || !value.value.shape?.dim[0]) return info;
  const { shape } = value.value;
  const [, ...rest] = shape.dim;
  const first = create(TensorShapeProto_DimensionSchema, { value: { case: 'dimParam', value: symbol } });
  return changed(info, {
    type: changed(info.type!, {
      value: { case: 'tensorType', value: changed(value.value, { shape: changed(shape, { dim: [first, ...rest] }) }) },
    }),
  });
}
