import {
  describeError,
  ModelError,
  NotFoundError,
  Output,
  validator,
  type ModelDocument,
} from '../../contracts/index.ts';
import { loadModule, type Postprocess } from '../modules.ts';
import type { Geometry, InputInfo } from '../pre/input.ts';
import { bytesBehind, ownBytes } from '../tensors.ts';
import { boxes } from './boxes.ts';
import { classes } from './classes.ts';
import { alphabetOf, ctc, linesOf } from './ctc.ts';
import { floatsOf, type RawOutputs } from './output.ts';
import { wrongIn, WrongOutputError } from './sound.ts';
import { textBoxes } from './text-boxes.ts';

/** Turns the outputs of one input into its answer. @throws WrongOutputError when they can't be right, ModelError of a user's module */
export type Postprocessor = (outputs: RawOutputs, info: InputInfo) => Output | Promise<Output>;

export interface PostprocessorParts {
  readonly id: string;
  readonly document: ModelDocument;
  /** Outputs that the manifest means, in the order of `matchGraph`. */
  readonly outputNames: readonly string[];
  /** Content of the files that the manifest names, by name. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

const outputSchema = validator(Output);

/** Built once per model. @throws ModelError, NotFoundError */
export async function openPostprocessor(parts: PostprocessorParts): Promise<Postprocessor> {
  const inner = await innerPostprocessor(parts);
  return async (outputs, info) => {
    try {
      const output = await inner(outputs, info);
      const wrong = wrongIn(output);
      if (wrong !== undefined) throw new WrongOutputError(parts.id, `gave ${wrong}`);
      return output;
    } catch (error) {
      if (error instanceof WrongOutputError) throw error;
      // Ours fail by what the device gave: its type, its shape. A user's module may fail by itself.
      const Failure = parts.document.postprocess.kind === 'module' ? ModelError : WrongOutputError;
      throw new Failure(parts.id, `postprocessing failed: ${describeError(error)}`, { cause: error });
    }
  };
}

async function innerPostprocessor({ id, document, outputNames, files }: PostprocessorParts): Promise<Postprocessor> {
  const { postprocess } = document;
  const read = (name: string): string => {
    const content = files[name];
    if (!content) throw new NotFoundError(`file ${name} of model ${id}`);
    return Buffer.from(content).toString('utf8');
  };
  const labelsOf = (labels: string | readonly string[] | undefined): readonly string[] =>
    typeof labels === 'string' ? linesOf(read(labels)) : (labels ?? []);
  const first = outputNames[0] ?? '';

  switch (postprocess.kind) {
    case 'classes': {
      const settings = { ...postprocess, labels: labelsOf(postprocess.labels) };
      return outputs => classes(floatsOf(outputs, first, id).values, settings);
    }
    case 'ctc': {
      const { blank = 0, space = true } = postprocess;
      const alphabet = alphabetOf(read(postprocess.keys), { blank, space });
      return outputs => {
        const { values, dims } = floatsOf(outputs, first, id);
        return ctc(values, dims, { alphabet, blank });
      };
    }
    case 'text-boxes':
      return (outputs, info) => {
        const { values, dims } = floatsOf(outputs, first, id);
        return textBoxes(values, dims, postprocess, geometryOf(info, outputs));
      };
    case 'boxes': {
      const labels = labelsOf(postprocess.labels);
      const scores = outputNames[1];
      return (outputs, info) =>
        boxes(
          {
            boxes: floatsOf(outputs, first, id),
            scores: scores === undefined ? undefined : floatsOf(outputs, scores, id),
          },
          postprocess,
          { geometry: geometryOf(info, outputs), labels },
        );
    }
    case 'module': {
      const source = files[postprocess.file];
      if (!source) throw new NotFoundError(`file ${postprocess.file} of model ${id}`);
      const call = await loadModule<Postprocess>(id, { file: postprocess.file, source, name: 'postprocess' });
      return async (outputs, { geometry, custom }) => {
        const size = geometry ? { width: geometry.width, height: geometry.height } : {};
        const value = await call(Object.fromEntries(outputs), { ...size, ...(custom === undefined ? {} : { custom }) });
        return outputSchema.accepts(value) ? value : { kind: 'custom', value };
      };
    }
    default:
      return outputs => ({
        kind: 'tensors',
        tensors: Object.fromEntries(
          [...outputs].map(([name, { type, dims, values }]) => [
            name,
            { type, dims: [...dims], data: ownBytes(bytesBehind(values)) },
          ]),
        ),
      });
  }
}

/** Boxes of an input that is no picture are in the units that the model gives. */
function geometryOf({ geometry }: InputInfo, outputs: RawOutputs): Geometry {
  if (geometry) return geometry;
  const dims = [...outputs.values()][0]?.dims ?? [];
  const [height = 1, width = 1] = dims.slice(-2);
  return {
    width,
    height,
    scaleX: 1,
    scaleY: 1,
    offsetX: 0,
    offsetY: 0,
    inputWidth: width,
    inputHeight: height,
  };
}
