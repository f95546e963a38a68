import { describeError, InputError, NotFoundError, type ModelDocument, type Payload } from '../../contracts/index.ts';
import { loadModule, type Preprocess } from '../modules.ts';
import type { GraphTensor } from '../onnx/graph.ts';
import { checkPayload } from '../payload.ts';
import type { PreprocessedInput } from './input.ts';
import { preprocessPicture } from './picture.ts';
import { feedsOfTensors } from './tensors.ts';

/** Turns a payload into feeds. @throws InputError */
export type Preprocessor = (payload: Payload) => Promise<PreprocessedInput>;

export interface PreprocessorParts {
  readonly id: string;
  readonly document: ModelDocument;
  readonly inputs: readonly GraphTensor[];
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** Built once per model. @throws ModelError, NotFoundError */
export async function openPreprocessor({ id, document, inputs, files }: PreprocessorParts): Promise<Preprocessor> {
  const { preprocess } = document;
  const name = document.input ?? inputs[0]?.name ?? '';
  switch (preprocess.kind) {
    case 'picture':
      return async payload => {
        checkPayload(document, payload);
        if (payload.encoding === 'tensors') throw new InputError('the payload is no picture');
        return preprocessPicture(name, preprocess, payload);
      };
    case 'tensors':
      return async payload => {
        checkPayload(document, payload);
        if (payload.encoding !== 'tensors') throw new InputError('the payload brings no tensors');
        return { feeds: feedsOfTensors(inputs, payload.tensors), info: {} };
      };
    default: {
      const source = files[preprocess.file];
      if (!source) throw new NotFoundError(`file ${preprocess.file} of model ${id}`);
      const call = await loadModule<Preprocess>(id, { file: preprocess.file, source, name: 'preprocess' });
      return async payload => {
        try {
          const made = await call(payload);
          return { feeds: feedsOfTensors(inputs, made.tensors), info: moduleInfo(payload, made.info) };
        } catch (error) {
          if (error instanceof InputError) throw error;
          throw new InputError(`${preprocess.file} refused the input: ${describeError(error)}`, { cause: error });
        }
      };
    }
  }
}

/** The picture's own size where the payload says it; what the module adds. */
function moduleInfo(payload: Payload, custom: unknown): PreprocessedInput['info'] {
  const given = custom === undefined ? {} : { custom };
  if (payload.encoding === 'tensors' || !payload.width || !payload.height) return given;
  const { width, height } = payload;
  const plain = { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0, inputWidth: width, inputHeight: height };
  return { ...given, geometry: { width, height, ...plain } };
}
