import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { describeError, DOCUMENTS, validator, type AnyDocument } from '../../contracts/index.ts';
import { misfits } from './check.ts';
import { fieldName, type Path, type Problem } from './problem.ts';
import { nearest } from './suggest.ts';
import { parseYaml } from './yaml.ts';

/** A document that fits its schema, and where it came from. */
export interface Located<D extends AnyDocument = AnyDocument> {
  readonly document: D;
  /** As the user named it, for messages. */
  readonly file: string;
  /** Folder that paths in the document are relative to. */
  readonly baseDir: string;
  /** 1-based line of a part of it; of the nearest part around it when it is absent. */
  lineOf(path: Path, at?: 'key' | 'value'): number;
}

export interface ReadResult {
  /** Those without problems, in the order of the files. */
  readonly documents: readonly Located[];
  readonly problems: readonly Problem[];
}

const BYTES_MAX = 16 * 1024 * 1024;
const KINDS = Object.keys(DOCUMENTS) as (keyof typeof DOCUMENTS)[];
const accepts = {
  Model: validator(DOCUMENTS.Model),
  Query: validator(DOCUMENTS.Query),
  Stream: validator(DOCUMENTS.Stream),
  Cluster: validator(DOCUMENTS.Cluster),
};

/** Reads YAML (or JSON) with any number of documents, and says everything that is wrong with it. Never throws. */
export function parseDocuments(text: string, file: string, baseDir = dirname(resolve(file))): ReadResult {
  const documents: Located[] = [];
  const { values, problems } = parseYaml(text, file);
  for (const { value, lineOf } of values) {
    const found = checkDocument(value, file, lineOf);
    problems.push(...found);
    if (found.some(problem => problem.severity === 'error')) continue;
    documents.push({ document: value as AnyDocument, file, baseDir, lineOf });
  }
  return { documents, problems };
}

function checkDocument(value: unknown, file: string, lineOf: Located['lineOf']): Problem[] {
  const error = (path: Path, at: 'key' | 'value', detail: string, remedy?: string): Problem => ({
    severity: 'error',
    file,
    line: lineOf(path, at),
    field: fieldName(path),
    detail,
    ...(remedy === undefined ? {} : { remedy }),
  });
  const kind = (value as { kind?: unknown } | null)?.kind;
  if (typeof value !== 'object' || value === null || Array.isArray(value) || kind === undefined) {
    return [error([], 'value', 'lacks "kind"', `kinds of documents: ${KINDS.join(', ')}`)];
  }
  const known = KINDS.find(name => name === kind);
  if (!known) {
    const near = typeof kind === 'string' ? nearest(kind, KINDS) : undefined;
    const remedy = near === undefined ? undefined : `did you mean "${near}"?`;
    return [error(['kind'], 'value', `must be one of ${KINDS.join(', ')}, not ${JSON.stringify(kind)}`, remedy)];
  }
  const found = misfits(DOCUMENTS[known], value, known);
  if (found.length > 0) return found.map(({ path, at, detail, remedy }) => error(path, at, detail, remedy));
  // The compiled schema has the last word, so that nothing slips past our own wording.
  return accepts[known].problems(value).map(({ path, detail }) => error(path.split('/').slice(1), 'value', detail));
}

/** Reads files; a folder stands for the `.yaml` and `.yml` in it, `-` for standard input. Never throws for the user's mistakes. */
export async function readDocuments(files: readonly string[]): Promise<ReadResult> {
  const documents: Located[] = [];
  const problems: Problem[] = [];
  const take = (result: ReadResult): void => {
    documents.push(...result.documents);
    problems.push(...result.problems);
  };
  for (const file of files) {
    try {
      if (file === '-') {
        take(parseDocuments(await standardInput(), 'standard input', process.cwd()));
        continue;
      }
      const info = await stat(file);
      const found = info.isDirectory() ? await yamlFilesOf(file) : [file];
      if (found.length === 0) problems.push(unreadable(file, 'is a folder without .yaml files'));
      for (const one of found) take(await readOne(one));
    } catch (error) {
      problems.push(unreadable(file, reasonOf(error)));
    }
  }
  return { documents, problems };
}

async function readOne(file: string): Promise<ReadResult> {
  const { size } = await stat(file);
  if (size > BYTES_MAX) {
    return { documents: [], problems: [unreadable(file, `has ${size} bytes, at most ${BYTES_MAX} are read`)] };
  }
  const result = parseDocuments(await readFile(file, 'utf8'), file);
  if (result.documents.length + result.problems.length > 0) return result;
  return { documents: [], problems: [unreadable(file, 'holds no document', `begin with: kind: ${KINDS.join(' | ')}`)] };
}

const yamlFilesOf = async (folder: string): Promise<string[]> =>
  (await readdir(folder))
    .filter(name => /\.ya?ml$/.test(name) && !basename(name).startsWith('.'))
    .sort()
    .map(name => join(folder, name));

const unreadable = (file: string, detail: string, remedy?: string): Problem => ({
  severity: 'error',
  file,
  field: '',
  detail,
  ...(remedy === undefined ? {} : { remedy }),
});

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'may not be read (permission denied)';
  return describeError(error);
}

async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
