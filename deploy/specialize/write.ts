import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Document, isScalar, visit } from 'yaml';
import { ConfigError, describeError, type ModelDocument } from '../../contracts/index.ts';

/** A model that was made: its document, and the files that the document names beside itself. */
export interface NewModel {
  readonly document: ModelDocument;
  readonly contents: ReadonlyMap<string, Uint8Array>;
  /** One sentence for the head of the document. */
  readonly about: string;
}

/** Writes the document as `<name>.yaml` and its files beside it. @returns the paths, the document's first */
export async function writeModelFolder(folder: string, { document, contents, about }: NewModel): Promise<string[]> {
  const head = about.split('\n').map(line => `# ${line}\n`);
  const files = new Map<string, Uint8Array | string>([
    [`${document.name}.yaml`, `${head.join('')}${yamlOf(document)}`],
    ...contents,
  ]);
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, content] of files) await writeFile(join(folder, name), content);
  } catch (error) {
    throw new ConfigError(`can't be written: ${describeError(error)}`, { file: folder }, { cause: error });
  }
  return [...files.keys()].map(name => join(folder, name));
}

/** As people write it: lists of numbers and words on one line. */
function yamlOf(document: ModelDocument): string {
  const yaml = new Document(document);
  visit(yaml, { Seq: (_, list) => void (list.flow = list.items.every(isScalar)) });
  return yaml.toString({ lineWidth: 0, flowCollectionPadding: false });
}
