import { ConfigError, type ModelDocument } from '../../contracts/index.ts';
import { alphabetOf, type ModelFiles } from '../../gpu-host/index.ts';
import { restrict } from './alphabet.ts';
import { closeModel, openModel } from './onnx-file.ts';
import { restrictGraph } from './restrict.ts';
import type { NewModel } from './write.ts';

export interface RestrictedReader extends NewModel {
  readonly classesBefore: number;
  /** With the blank. */
  readonly classes: number;
  /** Of the graphs. */
  readonly bytes: number;
  readonly bytesBefore: number;
  /** Without the blank, sorted. */
  readonly characters: string;
}

/**
 * A text recogniser (CTC) that knows an alphabet alone: the columns of its last layer for all other characters are cut. The scores
 * of those that stay are what they were; all before the last layer is the same, so that both share it in a prefix group.
 * @param wanted characters, in any order
 * @param name of the new model
 * @throws ConfigError: the model is no CTC reader, a character it doesn't know, a last layer that can't be cut
 */
export async function restrictReader(
  files: ModelFiles,
  { wanted, name }: { wanted: string; name: string },
): Promise<RestrictedReader> {
  const { document, id } = files;
  const { postprocess } = document;
  if (postprocess.kind !== 'ctc')
    throw new ConfigError(`model ${document.name} is no text recogniser: its postprocess is ${postprocess.kind}`, {
      remedy: 'an alphabet is cut out of a model with postprocess.kind: ctc',
    });
  const { blank = 0, space = true } = postprocess;
  const table = { characters: alphabetOf(await textOf(files, postprocess.keys), { blank, space }), blank };
  const rest = restrict(table, wanted, space);
  const model = await openModel(files);
  const output =
    postprocess.output ??
    onlyOutput(
      id,
      model.graph.output.map(one => one.name),
    );
  const graph = restrictGraph(model.graph, { model: id, output, classes: table.characters.length, kept: rest.kept });
  const bytes = closeModel(model, graph);
  const file = `${name}.onnx`;
  const keys = `${name}.keys.txt`;
  const restricted: ModelDocument = {
    ...document,
    name,
    file,
    source: `${document.source}; last layer cut to ${rest.kept.length} of ${table.characters.length} classes`,
    postprocess: { ...postprocess, keys, blank: rest.blank, space: rest.space },
  };
  return {
    document: restricted,
    contents: new Map([
      [file, bytes],
      [keys, Buffer.from(rest.keys)],
    ]),
    about: `${document.name} (${document.version}) that reads these characters alone: ${JSON.stringify(rest.characters)}.`,
    classesBefore: table.characters.length,
    classes: rest.kept.length,
    bytes: bytes.byteLength,
    bytesBefore: model.bytes,
    characters: rest.characters,
  };
}

const textOf = async (files: ModelFiles, name: string): Promise<string> =>
  Buffer.from(await files.read(name)).toString('utf8');

/** @throws ConfigError when there are several */
function onlyOutput(id: string, outputs: readonly string[]): string {
  if (outputs.length === 1) return outputs[0]!;
  throw new ConfigError(`model ${id} has the outputs ${outputs.join(', ')}`, {
    field: 'postprocess.output',
    remedy: 'say in its document which one is meant',
  });
}
