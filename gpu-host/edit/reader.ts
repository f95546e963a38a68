import { ConfigError, type ModelDocument } from '../../contracts/index.ts';
import type { ModelFiles } from '../device.ts';
import { alphabetOf } from '../post/ctc.ts';
import { restrict } from './alphabet.ts';
import { closeModel, openModel } from './onnx-file.ts';
import { restrictGraph } from './restrict.ts';

type Ctc = Extract<ModelDocument['postprocess'], { kind: 'ctc' }>;

/** A text recogniser (CTC) that knows an alphabet alone. */
export interface NarrowReader {
  readonly graph: Uint8Array;
  /** Its keys file. */
  readonly keys: string;
  /** With the blank and the space where they are now. */
  readonly postprocess: Ctc;
  /** With the blank. */
  readonly classes: number;
  readonly classesBefore: number;
  /** Without the blank, sorted. */
  readonly characters: string;
  /** Of the graph. */
  readonly bytesBefore: number;
}

/**
 * Cuts the columns of a reader's last layer for all characters but some. The scores of those that stay are what they were; all
 * before the last layer is the same, so that both share it in a prefix group.
 * @param wanted characters, in any order
 * @throws ConfigError: the model is no CTC reader, a character it doesn't know, a last layer that can't be cut
 */
export async function narrowReader(files: ModelFiles, wanted: string): Promise<NarrowReader> {
  const { document, id } = files;
  const { postprocess } = document;
  if (postprocess.kind !== 'ctc')
    throw new ConfigError(`model ${document.name} is no text recogniser: its postprocess is ${postprocess.kind}`, {
      remedy: 'an alphabet is cut out of a model with postprocess.kind: ctc',
    });
  const { blank = 0, space = true } = postprocess;
  const keys = Buffer.from(await files.read(postprocess.keys)).toString('utf8');
  const table = { characters: alphabetOf(keys, { blank, space }), blank };
  const rest = restrict(table, wanted, space);
  const model = await openModel(files);
  const names = model.graph.output.map(one => one.name);
  const output = postprocess.output ?? onlyOutput(id, names);
  const classesBefore = table.characters.length;
  const graph = restrictGraph(model.graph, { model: id, output, classes: classesBefore, kept: rest.kept });
  return {
    graph: closeModel(model, graph),
    keys: rest.keys,
    postprocess: { ...postprocess, blank: rest.blank, space: rest.space },
    classes: rest.kept.length,
    classesBefore,
    characters: rest.characters,
    bytesBefore: model.bytes,
  };
}

/** @throws ConfigError when there are several */
function onlyOutput(id: string, outputs: readonly string[]): string {
  if (outputs.length === 1) return outputs[0]!;
  throw new ConfigError(`model ${id} has the outputs ${outputs.join(', ')}`, {
    field: 'postprocess.output',
    remedy: 'say in its document which one is meant',
  });
}
