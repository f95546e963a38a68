import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { GraphError } from './error.ts';

/** Messages inside messages: a graph in an If in a graph … takes three each. */
const DEPTH_MAX = 64;
/** What decoding may take in memory beside the file itself. */
const DECODED_BYTES_MAX = 2 ** 30;
/** Rough sizes in V8: an object with its fields, a bigint in an array, a number in an array. */
const OBJECT_BYTES = 256;
const BIGINT_BYTES = 32;
const NUMBER_BYTES = 8;
const VARINT_BYTES_MAX = 10;

interface Known {
  readonly name: string;
  readonly message: Shape | undefined;
  /** Of one value in memory. */
  readonly valueBytes: number;
  /** A repeated number may be packed: a run of varints, or of values of this many bytes. */
  readonly packed: 'varint' | 4 | 8 | undefined;
}
interface Shape {
  readonly name: string;
  readonly fields: Map<number, Known>;
}

const BIGINTS: readonly (ScalarType | undefined)[] = [ScalarType.INT64, ScalarType.UINT64];

const shapes = new Map<DescMessage, Shape>();
function shapeOf(message: DescMessage): Shape {
  const known = shapes.get(message);
  if (known) return known;
  const shape: Shape = { name: message.name, fields: new Map() };
  shapes.set(message, shape);
  for (const field of message.fields) shape.fields.set(field.number, knownField(field));
  return shape;
}
function knownField(field: DescField): Known {
  const scalar = field.fieldKind === 'list' && field.listKind === 'scalar' ? field.scalar : undefined;
  return {
    name: field.name,
    message: field.message ? shapeOf(field.message) : undefined,
    valueBytes: field.message ? OBJECT_BYTES : BIGINTS.includes(scalar) ? BIGINT_BYTES : NUMBER_BYTES,
    packed: packingOf(scalar),
  };
}
function packingOf(scalar: ScalarType | undefined): Known['packed'] {
  switch (scalar) {
    case undefined:
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return undefined;
    case ScalarType.FLOAT:
      return 4;
    case ScalarType.DOUBLE:
      return 8;
    default:
      return 'varint';
  }
}

/**
 * Walks over the wire format of a ModelProto before it is decoded: every length lies inside what holds it, nesting and the
 * memory that decoding takes are bounded. Linear in the number of fields; weights are skipped, not read.
 * @throws GraphError naming the field and its place in the file
 */
export function scan(model: string, bytes: Uint8Array): void {
  let at = 0;
  let decodedBytes = 0;
  const refuse = (where: string, detail: string): never => {
    throw new GraphError(model, `${where} at byte ${at}`, detail);
  };
  const charge = (where: string, size: number): void => {
    decodedBytes += size;
    if (decodedBytes > DECODED_BYTES_MAX)
      refuse(where, `decoding takes more than ${DECODED_BYTES_MAX} bytes beside the weights`);
  };
  const varint = (where: string, end: number): number => {
    let value = 0;
    for (let i = 0, factor = 1; i < VARINT_BYTES_MAX; i++, factor *= 128) {
      if (at >= end) refuse(where, 'the file ends inside a number');
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    return refuse(where, 'a number has more than 10 bytes');
  };
  const packed = (where: string, { packed, valueBytes }: Known, end: number): void => {
    if (packed === 'varint') {
      const start = at;
      let count = 0;
      for (let i = start; i < end; i++) if (bytes[i]! < 128) count++;
      charge(where, count * valueBytes);
      if (end > start && bytes[end - 1]! >= 128) refuse(where, 'ends inside a number');
      at = end;
    } else {
      if ((end - at) % packed!) refuse(where, `${end - at} bytes are no whole number of ${packed}-byte values`);
      charge(where, ((end - at) / packed!) * valueBytes);
      at = end;
    }
  };
  const message = (shape: Shape, end: number, depth: number): void => {
    if (depth > DEPTH_MAX) refuse(shape.name, `nested deeper than ${DEPTH_MAX} levels`);
    charge(shape.name, OBJECT_BYTES);
    while (at < end) {
      const tag = varint(shape.name, end);
      const number = Math.floor(tag / 8);
      const known = shape.fields.get(number);
      const where = `${shape.name}.${known?.name ?? number}`;
      if (number === 0 || tag > 0xffffffff)
        refuse(where, 'not a field of a message: this is no ONNX file, or a damaged one');
      charge(where, known?.valueBytes ?? OBJECT_BYTES);
      switch (tag % 8) {
        case 0:
          varint(where, end);
          break;
        case 1:
          at += 8;
          break;
        case 5:
          at += 4;
          break;
        case 2: {
          const size = varint(where, end);
          if (size > end - at) refuse(where, `claims ${size} bytes where ${end - at} are left`);
          const inner = at + size;
          if (known?.message) message(known.message, inner, depth + 1);
          else if (known?.packed !== undefined) packed(where, known, inner);
          at = inner;
          break;
        }
        default:
          refuse(where, `wire type ${tag % 8} isn't used by ONNX: this is no ONNX file, or a damaged one`);
      }
      if (at > end) refuse(where, 'the file ends inside a value');
    }
  };
  message(shapeOf(ModelProtoSchema), bytes.length, 0);
}
