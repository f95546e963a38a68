import { isAbsolute, relative, resolve } from 'node:path';
import { existsSync } from 'node:fs';
import {
  bucketName,
  ConfigError,
  DEFAULT_TENANT,
  describeError,
  frameReader,
  framesJournal,
  frameSubjectsOf,
  MODEL_STORE,
  type AnyDocument,
  type Bus,
  type QueryDocument,
  type StoredModel,
  type StreamDocument,
} from '../../contracts/index.ts';
import { candidatesOf } from '../../allocator/index.ts';
import { packModel, withCuts } from '../../gpu-host/index.ts';
import {
  crossCheck,
  DocumentsError,
  formatProblem,
  identity,
  nothingKnown,
  readDocuments,
  type Known,
  type Located,
  type Problem,
} from '../documents/index.ts';
import {
  compareStored,
  configBucket,
  configKey,
  readConfig,
  writeStored,
  type Change,
  type StoredConfig,
} from './stored.ts';

export interface AppliedItem {
  /** `Model ppocr-det`, `Query default/scoreboard` */
  readonly item: string;
  readonly change: Change;
  /** Of a model: `<name>@<12 hex>` */
  readonly id?: string;
  /** What was done to it, for people. */
  readonly note?: string;
}

export interface ApplyResult {
  readonly items: readonly AppliedItem[];
  /** Models of the cluster that share leading parts with one of these files: what planners will look at. */
  readonly groups: readonly FoundGroup[];
  /** Things that are probably not meant, one text each. */
  readonly warnings: readonly string[];
}

/** Models that could run behind one prefix, of the deepest cut that they share. */
export interface FoundGroup {
  /** Names. */
  readonly models: readonly string[];
  readonly cut: string;
  /** Of a model's work that lies before the cut, 0..1, estimated. */
  readonly computeShare: number;
  /** Of the parameters before the cut. */
  readonly weightBytes: number;
  /** Declared for emulated devices, not found in graphs. */
  readonly emulated: boolean;
}

interface ApplyOptions {
  readonly prefix: string;
  /** Of documents that name none. Default: default. */
  readonly tenant?: string;
  /** Says what would change and changes nothing; `bus` may then be absent: nothing is compared. */
  readonly dryRun?: boolean;
  readonly onUpload?: (file: string, bytes: number) => void;
}

interface Packed {
  readonly value: StoredModel | QueryDocument | StreamDocument;
  readonly document: AnyDocument;
  readonly contents: ReadonlyMap<string, Uint8Array>;
  readonly note?: string;
}

/**
 * Puts the documents of files into a cluster: model files into the object store (if absent), then each document by
 * compare-and-set. Everything is checked before anything is written.
 * @throws DocumentsError with all problems; ConflictError when somebody else writes at the same time; StorageUnavailableError
 */
export async function applyFiles(
  bus: Bus | undefined,
  files: readonly string[],
  options: ApplyOptions,
): Promise<ApplyResult> {
  const read = await readAll(files);
  const tenant = options.tenant ?? DEFAULT_TENANT;
  const documents = read.documents.map(one => withTenant(one, tenant));
  const stored = bus ? await readConfig(bus, options.prefix) : undefined;
  const known: Known = stored ? knownOf(stored) : nothingKnown;
  const problems = [...read.problems, ...(read.complete ? crossCheck(documents, known) : [])];
  const packed: Packed[] = [];
  for (const one of documents) {
    try {
      packed.push(await pack(one));
    } catch (error) {
      problems.push(packingProblem(one, error));
    }
  }
  if (problems.some(problem => problem.severity === 'error')) throw new DocumentsError(problems);
  const warnings = problems.map(formatProblem);
  const groups = groupsAmong(packed, stored?.models ?? []);
  if (!bus) return { items: packed.map(one => item(one, 'created')), groups, warnings };

  const bucket = await configBucket(bus, options.prefix);
  const items: AppliedItem[] = [];
  for (const one of inOrder(packed)) {
    const { value, document, contents } = one;
    const key = configKey(document);
    if (options.dryRun) {
      const { change } = await compareStored(bucket, key, value);
      items.push(item(one, change));
      continue;
    }
    await upload(bus, contents, options);
    items.push(item(one, await writeStored(bucket, key, value)));
    if (document.kind === 'Query' && document.delivery === 'durable') await keepFramesOf(bus, document, options.prefix);
  }
  return { items, groups, warnings };
}

/** Of the groups that overlap the one that saves most; what is declared for emulated devices only where graphs don't say it. */
function groupsAmong(packed: readonly Packed[], stored: readonly StoredModel[]): FoundGroup[] {
  const applied = packed.flatMap(({ value }) => ('id' in value ? [value] : []));
  const byName = new Map([...stored, ...applied].map(model => [model.document.name, model]));
  const nameOf = new Map([...byName].map(([name, { id }]) => [id, name]));
  const facts = [...byName.values()].map(({ id, document, cuts = [] }) => ({ id, batchMax: document.batchMax, cuts }));
  const taken = new Set<string>();
  return candidatesOf(facts)
    .toSorted((a, b) => Number(a.emulated) - Number(b.emulated))
    .flatMap(({ members, cut, computeShare, prefixBytes: weightBytes, emulated }) => {
      if (members.some(id => taken.has(id)) || !applied.some(({ id }) => members.includes(id))) return [];
      for (const id of members) taken.add(id);
      return [{ models: members.map(id => nameOf.get(id)!), cut, computeShare, weightBytes, emulated }];
    });
}

const item = ({ document, value, note }: Packed, change: Change): AppliedItem => ({
  item: identity(document),
  change,
  ...('id' in value ? { id: value.id } : {}),
  ...(note === undefined ? {} : { note }),
});

/** Models first, since queries name them; streams last, so that their frames find the queries. */
const ORDER = ['Model', 'Query', 'Stream'];
const inOrder = (packed: readonly Packed[]): Packed[] =>
  [...packed].sort((a, b) => ORDER.indexOf(a.document.kind) - ORDER.indexOf(b.document.kind));

const knownOf = ({ models, queries, streams }: StoredConfig): Known => ({
  models: models.map(model => model.document),
  queries,
  streams,
});

/** Reads the files and, in place of a Cluster, the files of its `apply` list. */
async function readAll(
  files: readonly string[],
): Promise<{ documents: Located[]; problems: Problem[]; complete: boolean }> {
  const first = await readDocuments(files);
  const problems = [...first.problems];
  const documents: Located[] = [];
  const seen = new Set(first.documents.map(one => resolve(one.file)));
  for (const one of first.documents) {
    if (one.document.kind !== 'Cluster') {
      documents.push(one);
      continue;
    }
    const paths = (one.document.apply ?? []).map(path => shorter(resolve(one.baseDir, path)));
    const inside = await readDocuments(paths.filter(path => !seen.has(resolve(path))));
    for (const path of paths) seen.add(resolve(path));
    problems.push(...inside.problems);
    documents.push(...inside.documents.filter(({ document }) => document.kind !== 'Cluster'));
  }
  return { documents, problems, complete: !problems.some(problem => problem.severity === 'error') };
}

/** As people would type it. */
function shorter(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') || isAbsolute(fromHere) ? path : fromHere;
}

function withTenant(one: Located, tenant: string): Located {
  const { document } = one;
  if (document.kind !== 'Query' && document.kind !== 'Stream') return one;
  return { ...one, document: { ...document, tenant: document.tenant ?? tenant } };
}

async function pack({ document, baseDir }: Located): Promise<Packed> {
  const contents = new Map<string, Uint8Array>();
  if (document.kind === 'Model') {
    const { stored, contents, freed } = await packModel(document, baseDir);
    const value = withCuts(stored, contents.get(stored.files[document.file]!)!);
    return { value, document, contents, ...(freed ? { note: 'made for a batch of 1, changed to take any' } : {}) };
  }
  if (document.kind === 'Stream') return { value: withAbsoluteSource(document, baseDir), document, contents };
  return { value: document as QueryDocument, document, contents };
}

/** Samplers run in another folder than the file stands in: paths become absolute; what is no existing file is left alone (URLs, devices). */
function withAbsoluteSource(document: StreamDocument, baseDir: string): StreamDocument {
  const { source } = document;
  if (source.kind === 'folder') return { ...document, source: { ...source, path: resolve(baseDir, source.path) } };
  if (
    source.kind === 'ffmpeg' &&
    !/^[a-z][a-z0-9+.-]*:/i.test(source.url) &&
    existsSync(resolve(baseDir, source.url))
  ) {
    return { ...document, source: { ...source, url: resolve(baseDir, source.url) } };
  }
  return document;
}

/** A model's files are wrong: told at the line that names them. */
function packingProblem(one: Located, error: unknown): Problem {
  const asConfig = error instanceof ConfigError ? error : undefined;
  const field = asConfig?.field ?? 'file';
  const detail =
    asConfig?.field && describeError(error).startsWith(`${field}: `)
      ? describeError(error).slice(field.length + 2)
      : describeError(error);
  const remedy = asConfig?.remedy;
  return {
    severity: 'error',
    file: one.file,
    line: one.lineOf(field.split('.')),
    field,
    detail: detail.split('\n  ')[0]!,
    ...(remedy === undefined ? {} : { remedy }),
  };
}

/** Frames that are published from now on wait for the query, whether or not a router is up. */
async function keepFramesOf(bus: Bus, query: QueryDocument, prefix: string): Promise<void> {
  const { name, streams = [], tenant = DEFAULT_TENANT } = query;
  if (streams.length === 0) return;
  const frameSubjects = frameSubjectsOf(prefix, tenant, streams);
  const { name: journalName, settings } = framesJournal(prefix, tenant, frameSubjects);
  const journal = await bus.journal(journalName, settings);
  await journal.addReader(frameReader(name, frameSubjects));
}

async function upload(bus: Bus, contents: ReadonlyMap<string, Uint8Array>, options: ApplyOptions): Promise<void> {
  if (contents.size === 0) return;
  const store = await bus.objectStore(bucketName(options.prefix, MODEL_STORE));
  for (const [sha256, content] of contents) {
    if (await store.has(sha256)) continue;
    options.onUpload?.(sha256, content.byteLength);
    await store.put(sha256, content);
  }
}
