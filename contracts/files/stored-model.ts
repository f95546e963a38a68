import { CUT_PATTERN, TENSOR_PATTERN } from '../part.ts';
import { ByteCount, Type, type Static } from '../schema.ts';
import { ModelDocument } from './documents.ts';

/** Tensors that may cross a cut, of all models together that share it. */
export const CROSSING_MAX = 16;

/** A place where a model can be cut in two (`contracts/part.ts`), with what lies on either side. */
export const Cut = Type.Object({
  cut: Type.String({ pattern: CUT_PATTERN, description: 'of the hash of all tensors that cross it' }),
  trunk: Type.Optional(
    Type.String({
      pattern: CUT_PATTERN,
      description:
        'of the hash of all that lies before it: models with a trunk in common can share a prefix; default: the cut',
    }),
  ),
  tensors: Type.Optional(
    Type.Array(
      Type.Object({
        tensor: Type.String({ pattern: TENSOR_PATTERN, description: 'of its structural hash' }),
        bytes: Type.Optional(ByteCount('for one input; absent where its shape is not known')),
      }),
      { minItems: 1, maxItems: CROSSING_MAX, description: 'that cross it' },
    ),
  ),
  emulated: Type.Boolean({ description: 'declared for emulated devices, not found in the graph' }),
  prefixBytes: ByteCount('parameters before the cut'),
  suffixBytes: ByteCount('parameters behind it'),
  crossingBytes: Type.Optional(
    ByteCount('of the tensors that cross it, for one input; absent where shapes are not known'),
  ),
  computeShare: Type.Number({
    minimum: 0,
    maximum: 1,
    description: 'of the work of a run that lies before the cut, estimated',
  }),
});
export type Cut = Static<typeof Cut>;

/**
 * A model as the cluster knows it: the document with every file replaced by the SHA-256 of its content in the object store
 * (`file`, `keys`, `labels`, `module` files). `id` is `<name>@<first 12 hex of the SHA-256 of all that defines its answers>`.
 */
export const StoredModel = Type.Object({
  v: Type.Literal(1),
  id: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}@[0-9a-f]{12}$' }),
  document: ModelDocument,
  /** File name in the document → SHA-256 (hex) of its content. */
  files: Type.Record(Type.String(), Type.String({ pattern: '^[0-9a-f]{64}$' })),
  bytes: Type.Integer({ minimum: 0, description: 'of the ONNX file' }),
  cuts: Type.Optional(
    Type.Array(Cut, {
      maxItems: 4096,
      description: 'in the order of the graph; models with a cut in common can share its prefix',
    }),
  ),
});
export type StoredModel = Static<typeof StoredModel>;
