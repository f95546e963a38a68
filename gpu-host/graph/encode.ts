import { create, toBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, TensorProtoSchema, type ModelProto, type TensorProto } from 'onnx-buf';

/** Below this a tensor is encoded as any other message. */
const RAW_BYTES_MIN = 4096;

type Chunks = Uint8Array[];
const sizeOf = (chunks: Chunks): number => chunks.reduce((sum, { length }) => sum + length, 0);

/** The file of a model, with its weights copied once: encoding message by message would move them with every message around them. */
export function encodeModel(model: ModelProto): Uint8Array {
  const { graph } = model;
  if (!graph) return toBinary(ModelProtoSchema, model);
  const inside = spliced(
    GraphProtoSchema,
    graph,
    GraphProtoSchema.field.initializer.number,
    graph.initializer.map(tensorChunks),
  );
  return Buffer.concat(spliced(ModelProtoSchema, model, ModelProtoSchema.field.graph.number, [inside]));
}

function tensorChunks(tensor: TensorProto): Chunks {
  const { rawData } = tensor;
  return rawData.length < RAW_BYTES_MIN
    ? [toBinary(TensorProtoSchema, tensor)]
    : spliced(TensorProtoSchema, tensor, TensorProtoSchema.field.rawData.number, [[rawData]]);
}

/** A message with one field (length-delimited, perhaps repeated) given as chunks, in the order of field numbers as other encoders have it. */
function spliced<S extends DescMessage>(
  schema: S,
  message: MessageShape<S>,
  number: number,
  values: readonly Chunks[],
): Chunks {
  const before = part(schema, message, other => other < number);
  const after = part(schema, message, other => other > number);
  if (message.$unknown) after.$unknown = message.$unknown;
  const LENGTH_DELIMITED = 2;
  return [
    toBinary(schema, before),
    ...values.flatMap(chunks => [
      Uint8Array.from([...varint(number * 8 + LENGTH_DELIMITED), ...varint(sizeOf(chunks))]),
      ...chunks,
    ]),
    toBinary(schema, after),
  ];
}

function part<S extends DescMessage>(
  schema: S,
  message: MessageShape<S>,
  keeps: (number: number) => boolean,
): MessageShape<S> {
  const kept = schema.fields.filter(field => keeps(field.number) && Object.hasOwn(message, field.localName));
  const fields = message as unknown as Record<string, unknown>;
  return Object.assign(create(schema), Object.fromEntries(kept.map(({ localName }) => [localName, fields[localName]])));
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}
