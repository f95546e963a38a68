import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import {
  ConfigError,
  ModelError,
  NotFoundError,
  type ModelDocument,
  type ObjectStore,
  type StoredModel,
} from '../contracts/index.ts';
import type { ModelFiles } from './device.ts';
import { declaredCut } from './emulated/curve.ts';
import { narrowReader, withFreeBatch } from './edit/index.ts';
import { checkManifest } from './manifest.ts';

const NPM = 'npm:';
/** onnxruntime takes a model as one buffer, and Node reads no larger file into one. */
const FILE_BYTES_MAX = 2 ** 31 - 1;

/** SHA-256 as 64 hex digits: the name of a file in the object store. */
const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** Every file that a manifest names: the graph, keys, labels, modules. The graph is the first. */
export function namedFiles(document: ModelDocument): string[] {
  const { preprocess, postprocess } = document;
  const names = [document.file];
  if (preprocess.kind === 'module') names.push(preprocess.file);
  if (postprocess.kind === 'module') names.push(postprocess.file);
  if (postprocess.kind === 'ctc') names.push(postprocess.keys);
  if ('labels' in postprocess && typeof postprocess.labels === 'string') names.push(postprocess.labels);
  return [...new Set(names)];
}

/** `npm:<package>/<path>` → a path, looking upwards from `baseDir` as Node does, whatever the package exports. */
function resolveNpm(name: string, baseDir: string): string {
  const [, packageName, path] = /^npm:((?:@[^/]+\/)?[^/]+)\/(.+)$/.exec(name) ?? [];
  if (!packageName || !path || path.split('/').includes('..'))
    throw new ConfigError(`${name} is not of the form npm:<package>/<path in it>`, { field: 'file' });
  const folders = createRequire(join(resolve(baseDir), 'manifest.js')).resolve.paths(packageName) ?? [];
  const folder = folders.map(folder => join(folder, packageName)).find(folder => existsSync(folder));
  if (!folder)
    throw new NotFoundError(`package ${packageName} (for ${name})`, `install it with: npm install ${packageName}`);
  return join(folder, path);
}

/** Where a file named in a manifest lies. @throws ConfigError, NotFoundError (its package isn't installed) */
const resolveFile = (name: string, baseDir: string): string =>
  name.startsWith(NPM) ? resolveNpm(name, baseDir) : resolve(baseDir, name);

async function readNamed(name: string, baseDir: string): Promise<Uint8Array> {
  const path = resolveFile(name, baseDir);
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new NotFoundError(`file ${path} (${name} in the manifest)`);
    if (code === 'ERR_FS_FILE_TOO_LARGE')
      throw new ConfigError(`${path} is larger than ${FILE_BYTES_MAX} bytes, the most that a graph may have`);
    throw new ConfigError(`${path} can't be read: ${code ?? String(error)}`, { field: name }, { cause: error });
  }
}

/** JSON with sorted keys: equal documents give equal text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

export interface PackedModel {
  readonly stored: StoredModel;
  /** By SHA-256. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
  /** The graph was made for a batch of 1, and takes any now. */
  readonly freed: boolean;
}

/**
 * A manifest and its files, ready to be stored: `contents` by SHA-256, each once. The id covers the document and the
 * contents, not where the files lie: the same model packed on two machines has one id. A reader with an `alphabet` is packed with
 * the graph and keys that are left; a graph for a batch of 1 whose document says more as one for any.
 * @param baseDir folder of the manifest
 * @throws ConfigError naming the field that makes no sense, NotFoundError naming the missing file
 */
export async function packModel(given: ModelDocument, baseDir: string): Promise<PackedModel> {
  checkManifest(given);
  const named = new Map<string, Uint8Array>();
  for (const name of namedFiles(given)) named.set(name, await readNamed(name, baseDir));
  const document = await narrowed(given, named);
  const freed = document.batchMax > 1 ? withFreeBatch(named.get(document.file)!, document.name) : undefined;
  if (freed) named.set(document.file, freed);
  const contents = new Map<string, Uint8Array>();
  const files: Record<string, string> = {};
  for (const [name, content] of named) {
    const digest = sha256(content);
    contents.set(digest, content);
    files[name] = digest;
  }
  const bytes = contents.get(files[document.file]!)!.byteLength;
  if (bytes === 0) throw new ConfigError(`${document.file} is empty`, { field: 'file' });
  const digest = sha256(Buffer.from(canonical({ document, files })));
  const declared = declaredCut(document);
  const cuts = declared ? { cuts: [declared] } : {};
  const id = `${document.name}@${digest.slice(0, 12)}`;
  return { stored: { v: 1, id, document, files, bytes, ...cuts }, contents, freed: freed !== undefined };
}

/** A reader with an alphabet of its own: its graph and keys become those that know it alone. */
async function narrowed(document: ModelDocument, named: Map<string, Uint8Array>): Promise<ModelDocument> {
  const { name, file, postprocess } = document;
  if (postprocess.kind !== 'ctc' || postprocess.alphabet === undefined) return document;
  const read = async (wanted: string): Promise<Uint8Array> => named.get(wanted)!;
  const narrow = await narrowReader({ id: name, document, read }, postprocess.alphabet);
  named.set(file, narrow.graph).set(postprocess.keys, Buffer.from(narrow.keys));
  return { ...document, postprocess: narrow.postprocess };
}

/** The files of a model that was packed and is still in memory. */
const modelFilesFromPacked = (stored: StoredModel, contents: ReadonlyMap<string, Uint8Array>): ModelFiles => ({
  id: stored.id,
  document: stored.document,
  read: async name => {
    const content = contents.get(stored.files[name] ?? '');
    if (!content) throw new NotFoundError(`file ${name} of model ${stored.id}`);
    return content;
  },
});

/** The files of a model beside its manifest on disk, read at once. @throws ConfigError, NotFoundError */
export async function modelFilesFromDisk(document: ModelDocument, baseDir: string): Promise<ModelFiles> {
  const { stored, contents } = await packModel(document, baseDir);
  return modelFilesFromPacked(stored, contents);
}

/** The files of a model in the cluster's object store, each checked against its SHA-256 when it is read. */
export const modelFilesFromStore = (stored: StoredModel, objects: Pick<ObjectStore, 'get'>): ModelFiles => ({
  id: stored.id,
  document: stored.document,
  read: async name => {
    const digest = stored.files[name];
    if (!digest) throw new NotFoundError(`file ${name} of model ${stored.id}`);
    const content = await objects.get(digest);
    if (!content) throw new NotFoundError(`${name} of model ${stored.id} in the object store`, 'apply the model again');
    const got = sha256(content);
    if (got !== digest)
      throw new ModelError(stored.id, `${name} in the object store has SHA-256 ${got}, not ${digest}; apply it again`);
    return content;
  },
});
