import { create } from '@bufbuild/protobuf';
import { AttributeProto_AttributeType as A, TensorProtoSchema, type NodeProto, type TensorProto } from 'onnx-buf';
import { domainOf } from './check.ts';
import { T, tensorOf } from './tensor.ts';

/** The tensor that a Constant node stands for; undefined for other nodes and for sparse constants. */
export function constantOf(node: NodeProto): TensorProto | undefined {
  if (node.opType !== 'Constant' || domainOf(node.domain) !== '' || node.attribute.length !== 1) return undefined;
  const attribute = node.attribute[0]!;
  switch (attribute.type) {
    case A.TENSOR:
      return attribute.t;
    case A.FLOAT:
      return tensorOf('', T.FLOAT, [], Float32Array.of(attribute.f));
    case A.FLOATS:
      return tensorOf('', T.FLOAT, [attribute.floats.length], Float32Array.from(attribute.floats));
    case A.INT:
      return tensorOf('', T.INT64, [], BigInt64Array.of(attribute.i));
    case A.INTS:
      return tensorOf('', T.INT64, [attribute.ints.length], BigInt64Array.from(attribute.ints));
    case A.STRING:
      return create(TensorProtoSchema, { dataType: T.STRING, stringData: [attribute.s] });
    case A.STRINGS:
      return create(TensorProtoSchema, {
        dataType: T.STRING,
        dims: [BigInt(attribute.strings.length)],
        stringData: attribute.strings,
      });
    default:
      return undefined;
  }
}
