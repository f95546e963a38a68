import { DEFAULT_TENANT, type ModelDocument, type QueryDocument, type StreamDocument } from '../../contracts/index.ts';
import { fieldName, type Path, type Problem } from './problem.ts';
import type { Located } from './read.ts';
import { didYouMean } from './suggest.ts';

/** What the cluster holds already, as far as documents may refer to it. Empty when there is none at hand. */
export interface Known {
  readonly models: readonly ModelDocument[];
  readonly queries: readonly QueryDocument[];
  readonly streams: readonly StreamDocument[];
}
export const nothingKnown: Known = { models: [], queries: [], streams: [] };

/** Whether a query's pattern (`*` matches any characters) reads the stream. */
function streamMatches(pattern: string, stream: string): boolean {
  const source = pattern.split('*').map(part => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${source.join('.*')}$`, 'u').test(stream);
}

/** What documents say of each other: names that don't exist, cycles, crops of what finds no boxes, the same thing twice. */
export function crossCheck(documents: readonly Located[], known: Known): Problem[] {
  const problems: Problem[] = [];
  const report = (where: Located, severity: Problem['severity'], path: Path, detail: string, remedy?: string): void => {
    const rest = remedy === undefined ? {} : { remedy };
    problems.push({ severity, file: where.file, line: where.lineOf(path), field: fieldName(path), detail, ...rest });
  };
  const ofKind = <K extends string>(kind: K) =>
    documents.filter((one): one is Located<Extract<Located['document'], { kind: K }>> => one.document.kind === kind);
  const [models, queries, streams] = [ofKind('Model'), ofKind('Query'), ofKind('Stream')];

  const seen = new Map<string, Located>();
  for (const one of documents) {
    const key = identity(one.document);
    const other = seen.get(key);
    if (other) report(one, 'error', ['name'], `${key} is already defined at ${other.file}:${other.lineOf(['name'])}`);
    else seen.set(key, one);
  }

  const modelsByName = new Map([...known.models, ...models.map(one => one.document)].map(model => [model.name, model]));
  for (const model of models) checkModel(model, (...args) => report(model, ...args));
  for (const query of queries) checkStages(query, modelsByName, (...args) => report(query, ...args));

  const tenantOf = (document: { tenant?: string }): string => document.tenant ?? DEFAULT_TENANT;
  const allStreams = [...known.streams, ...streams.map(one => one.document)];
  const allQueries = [...known.queries, ...queries.map(one => one.document)];
  for (const query of queries) {
    const ofTenant = allStreams.filter(stream => tenantOf(stream) === tenantOf(query.document));
    const theirs = [...new Set(ofTenant.map(stream => stream.name))];
    query.document.streams?.forEach((pattern, i) => {
      if (theirs.some(stream => streamMatches(pattern, stream))) return;
      const remedy = pattern.includes('*')
        ? undefined
        : theirs.length > 0
          ? didYouMean(pattern, theirs, 'streams')
          : undefined;
      const detail = `no stream "${pattern}" is defined; frames that somebody publishes on it are still read`;
      report(query, 'warning', ['streams', i], detail, remedy);
    });
  }
  for (const stream of streams) {
    const { name } = stream.document;
    const read = allQueries.some(
      query => tenantOf(query) === tenantOf(stream.document) && query.streams?.some(p => streamMatches(p, name)),
    );
    if (!read)
      report(stream, 'warning', ['name'], `no query reads the stream "${name}"`, 'list it in `streams` of a query');
    const durably = allQueries.find(
      query =>
        query.delivery === 'durable' &&
        tenantOf(query) === tenantOf(stream.document) &&
        query.streams?.some(p => streamMatches(p, name)),
    );
    if (durably && !stream.document.durable)
      report(
        stream,
        'warning',
        ['durable'],
        `query ${durably.name} is durable, but frames of "${name}" that are published while NATS is away are lost`,
        'set durable: true to publish each until it is stored',
      );
  }
  return problems;
}

/** `Model ocr`, `Query default/scoreboard`, … */
export function identity(document: { kind: string; name: string; tenant?: string }): string {
  const scoped = document.kind === 'Query' || document.kind === 'Stream';
  return `${document.kind} ${scoped ? `${document.tenant ?? DEFAULT_TENANT}/` : ''}${document.name}`;
}

type Report = (severity: Problem['severity'], path: Path, detail: string, remedy?: string) => void;

function checkModel({ document }: Located<ModelDocument>, report: Report): void {
  const { preprocess } = document;
  if (preprocess.kind !== 'picture') return;
  const channels = preprocess.color === 'gray' ? 1 : 3;
  for (const name of ['mean', 'std'] as const) {
    const count = preprocess[name]?.length ?? channels;
    if (count === channels || count === 1) continue;
    report('error', ['preprocess', name], `has ${count} values, the model input has ${channels} channels`);
  }
  for (const name of ['widthStep', 'widthUsual'] as const)
    if (preprocess[name] !== undefined && preprocess.fit !== 'pad-right')
      report('warning', ['preprocess', name], 'has no effect unless fit is pad-right');
}

/** Kinds of postprocessing that find boxes; a module may. */
const FINDS_BOXES = new Set(['boxes', 'text-boxes', 'module']);

function checkStages({ document }: Located<QueryDocument>, models: ReadonlyMap<string, ModelDocument>, report: Report) {
  const { stages } = document;
  const names = Object.keys(stages);
  for (const [name, stage] of Object.entries(stages)) {
    const here = ['stages', name];
    const model = models.get(stage.model);
    if (!model) {
      const choice = [...models.keys()];
      report(
        'error',
        [...here, 'model'],
        `there is no model "${stage.model}"`,
        didYouMean(stage.model, choice, 'models'),
      );
    }
    if (stage.from === undefined) {
      for (const field of ['fanoutMax', 'fanout', 'labels', 'scoreMin', 'regions', 'pad', 'whole'] as const) {
        if (stage[field] !== undefined) report('warning', [...here, field], 'has no effect without `from`');
      }
      continue;
    }
    const parent = Object.hasOwn(stages, stage.from) ? stages[stage.from] : undefined;
    if (!parent) {
      const others = names.filter(other => other !== name);
      report('error', [...here, 'from'], `there is no stage "${stage.from}"`, didYouMean(stage.from, others, 'stages'));
      continue;
    }
    if (model?.preprocess.kind === 'tensors') {
      report('error', [...here, 'from'], `model "${stage.model}" takes tensors, a crop is a picture`);
    }
    const finds = models.get(parent.model)?.postprocess.kind;
    if (finds !== undefined && !FINDS_BOXES.has(finds) && !stage.whole) {
      const detail = `stage "${stage.from}" finds no boxes: its model "${parent.model}" yields ${finds}`;
      report(
        'error',
        [...here, 'from'],
        detail,
        'use a model whose postprocess is boxes or text-boxes, or set whole: true',
      );
    }
  }
  for (const cycle of cyclesOf(stages)) {
    report(
      'error',
      ['stages', cycle[0]!, 'from'],
      `stages wait for each other: ${[...cycle, cycle[0]].join(' from ')}`,
    );
  }
}

/** Each cycle once, from its first stage in the order of the document. A stage has at most one `from`, so cycles are disjoint. */
function cyclesOf(stages: QueryDocument['stages']): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  for (const start of Object.keys(stages)) {
    const trail: string[] = [];
    let at: string | undefined = start;
    while (at !== undefined && Object.hasOwn(stages, at) && !done.has(at) && !trail.includes(at)) {
      trail.push(at);
      at = stages[at]!.from;
    }
    if (at !== undefined && trail.includes(at)) cycles.push(trail.slice(trail.indexOf(at)));
    for (const name of trail) done.add(name);
  }
  return cycles;
}
