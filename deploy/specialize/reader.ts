import type { ModelDocument } from '../../contracts/index.ts';
import { narrowReader, type NarrowReader } from '../../gpu-host/edit/index.ts';
import type { ModelFiles } from '../../gpu-host/index.ts';
import type { NewModel } from './write.ts';

export interface RestrictedReader extends NewModel, NarrowReader {}

/**
 * {@link narrowReader} as a model of its own, with a document and files.
 * @param name of the new model
 * @throws ConfigError
 */
export async function restrictReader(
  files: ModelFiles,
  { wanted, name }: { wanted: string; name: string },
): Promise<RestrictedReader> {
  const narrow = await narrowReader(files, wanted);
  const { document } = files;
  const { alphabet: _itIsInTheGraphNow, ...postprocess } = narrow.postprocess;
  const file = `${name}.onnx`;
  const keys = `${name}.keys.txt`;
  const restricted: ModelDocument = {
    ...document,
    name,
    file,
    source: `${document.source}; last layer cut to ${narrow.classes} of ${narrow.classesBefore} classes`,
    postprocess: { ...postprocess, keys },
  };
  return {
    ...narrow,
    document: restricted,
    contents: new Map([
      [file, narrow.graph],
      [keys, Buffer.from(narrow.keys)],
    ]),
    about: `${document.name} (${document.version}) that reads these characters alone: ${JSON.stringify(narrow.characters)}.`,
  };
}
