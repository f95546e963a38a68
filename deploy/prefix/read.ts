import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { ConfigError, describeError, type ModelDocument } from '../../contracts/index.ts';
import { freeBatch, GraphError, hasBatchOfOne, readModel, type OnnxModel } from '../../gpu-host/graph/index.ts';
import { modelFilesFromDisk, type ModelFiles } from '../../gpu-host/index.ts';
import { DocumentsError, readDocuments } from '../documents/index.ts';

/** Sizes for symbolic axes, by input, with the batch in front. */
export type Dims = Readonly<Record<string, readonly number[]>>;

export interface NamedModel {
  readonly name: string;
  /** As the user named it. */
  readonly file: string;
  /** With a batch of any size, where that can be had. */
  readonly model: OnnxModel;
  /** Of the graph's file. */
  readonly bytes: number;
  readonly dims: Dims;
  /** Why its batch is fixed. */
  readonly fixedBatch: string | undefined;
  /** Of a document. */
  readonly files: ModelFiles | undefined;
}

const FILE_BYTES_MAX = 2 ** 31 - 1;

/**
 * Models from ONNX files, and from YAML files or folders of Model documents.
 * @param dims for ONNX files: a document says itself how large its input is
 * @throws DocumentsError, ConfigError: no such file, no ONNX, two of one name
 */
export async function readModels(files: readonly string[], dims: Dims): Promise<NamedModel[]> {
  const models: NamedModel[] = [];
  for (const file of files) models.push(...(await modelsOf(file, dims)));
  const names = new Set<string>();
  return models.map(model => {
    let name = model.name;
    for (let count = 2; names.has(name); count++) name = `${model.name}-${count}`;
    names.add(name);
    return { ...model, name };
  });
}

async function modelsOf(file: string, dims: Dims): Promise<NamedModel[]> {
  if (/\.ya?ml$/i.test(file) || (await isFolder(file))) return modelsOfDocuments(file);
  const bytes = await readGraph(file);
  const folder = dirname(resolve(file));
  return [opened({ name: basename(file).replace(/\.onnx$/i, ''), file, bytes, dims, folder })];
}

const isFolder = async (file: string): Promise<boolean> => {
  try {
    return (await stat(file)).isDirectory();
  } catch {
    return false; // reading it will say why
  }
};

async function modelsOfDocuments(file: string): Promise<NamedModel[]> {
  const { documents, problems } = await readDocuments([file]);
  if (problems.some(({ severity }) => severity === 'error')) throw new DocumentsError(problems);
  const models: NamedModel[] = [];
  for (const { document, baseDir } of documents) {
    if (document.kind !== 'Model') continue;
    const files = await modelFilesFromDisk(document, baseDir);
    models.push(opened({ name: document.name, file, bytes: await files.read(document.file), files }));
  }
  if (models.length === 0) throw new ConfigError('holds no document of kind Model', { file });
  return models;
}

async function readGraph(file: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > FILE_BYTES_MAX)
      throw new ConfigError(`has ${size} bytes; graphs have at most ${FILE_BYTES_MAX}`, { file });
    return new Uint8Array(await readFile(file));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const detail = missing ? 'there is no such file' : `can't be read: ${describeError(error)}`;
    throw new ConfigError(detail, { file }, { cause: error });
  }
}

interface Source {
  readonly name: string;
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly files?: ModelFiles;
  readonly dims?: Dims;
  /** Where side files with weights lie. */
  readonly folder?: string;
}

function opened({ name, file, bytes, files, dims = {}, folder }: Source): NamedModel {
  const document = files?.document;
  try {
    const model = readModel(bytes, {
      name,
      ...(folder === undefined ? {} : { readExternal: (location: string) => readFileSync(resolve(folder, location)) }),
    });
    const input = document?.input ?? model.proto.graph!.input[0]?.name ?? '';
    const own = document ? { [input]: dimsOf(document) ?? [] } : dims;
    return { name, file, bytes: bytes.byteLength, dims: own, files, ...asHostsCut(model, document) };
  } catch (error) {
    if (error instanceof GraphError)
      throw new ConfigError(`is no usable ONNX model: ${error.message}`, { file }, { cause: error });
    throw error;
  }
}

function dimsOf({ preprocess }: ModelDocument): number[] | undefined {
  if (preprocess.kind !== 'picture') return undefined;
  const { width, height, layout = 'nchw', color = 'rgb' } = preprocess;
  const channels = color === 'gray' ? 1 : 3;
  return layout === 'nchw' ? [1, channels, height, width] : [1, height, width, channels];
}

/**
 * The graph that hosts cut: as a document's was packed, with its batch free where it says so; of a file by itself as if its document did. A batch
 * that varies stays as it is: changing it would change results by rounding.
 */
function asHostsCut(read: OnnxModel, document: ModelDocument | undefined): Pick<NamedModel, 'model' | 'fixedBatch'> {
  if (!isFixed(read)) return { model: read, fixedBatch: undefined };
  if (document && hasBatchOfOne(read)) return { model: read, fixedBatch: 'its document has batchMax: 1' };
  try {
    return { model: freeBatch(read), fixedBatch: undefined };
  } catch (error) {
    if (error instanceof GraphError) return { model: read, fixedBatch: error.message };
    throw error;
  }
}

function isFixed({ proto }: OnnxModel): boolean {
  const { input, initializer } = proto.graph!;
  const initialised = new Set(initializer.map(({ name }) => name));
  return input.some(({ name, type }) => {
    const shape = type?.value.case === 'tensorType' ? type.value.value.shape : undefined;
    return !initialised.has(name) && shape?.dim[0]?.value.case === 'dimValue';
  });
}
