import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { describeError, validator, type Profile } from '../../contracts/index.ts';
import {
  didYouMean,
  DocumentsError,
  fieldName,
  misfits,
  parseYaml,
  type LineOf,
  type Path,
  type Problem,
} from '../documents/index.ts';
import { byBareName, parseCsv, readProfiles } from '../plan/index.ts';
import { loadPolicy } from '../load-policy.ts';
import { checkPolicies, loadOwn } from './policies.ts';
import { profileOf } from './models.ts';
import { hostsOf, reads, type Sources, type Trace } from './scenario.ts';
import { ScenarioDocument } from './schema.ts';

const accepts = validator(ScenarioDocument);

/** A scenario file that was read and found right, with the files that it names. */
export interface ScenarioFile {
  readonly name: string;
  readonly document: ScenarioDocument;
  readonly sources: Sources;
  readonly warnings: readonly Problem[];
}

type Report = (severity: Problem['severity'], path: Path, detail: string, remedy?: string, at?: 'key') => void;

/** @throws DocumentsError that names each wrong field, with its line and what to do */
export async function readScenario(file: string): Promise<ScenarioFile> {
  const problems: Problem[] = [];
  const finish = (): void => {
    if (problems.some(({ severity }) => severity === 'error'))
      throw new DocumentsError(problems.filter(({ severity }) => severity === 'error'));
  };
  const { value, lineOf } = await parse(file, problems);
  finish();
  const report: Report = (severity, path, detail, remedy, at) => {
    const where = { severity, file, line: lineOf(path, at), field: fieldName(path), detail };
    problems.push(remedy === undefined ? where : { ...where, remedy });
  };
  for (const { path, at, detail, remedy } of misfits(ScenarioDocument, value, 'scenario'))
    report('error', path, detail, remedy, at === 'key' ? 'key' : undefined);
  finish();
  // The compiled schema has the last word, so that nothing slips past our own wording.
  for (const { path, detail } of accepts.problems(value)) report('error', path.split('/').slice(1), detail);
  finish();
  const read = value as ScenarioDocument;
  const baseDir = dirname(resolve(file));
  const complain = (path: Path, detail: string): void => report('error', path, detail);
  const { own, policies } = await loadOwn(read.policies ?? {}, baseDir, complain);
  const document = read.policies ? { ...read, policies } : read;
  const sources = {
    profiles: await profilesOf(document, baseDir, problems, report),
    traces: await tracesOf(document, baseDir, report),
    own,
  };
  finish();
  check(document, sources, report);
  finish();
  return { name: basename(file).replace(/\.ya?ml$/, ''), document, sources, warnings: problems };
}

async function parse(file: string, problems: Problem[]): Promise<{ value: unknown; lineOf: LineOf }> {
  const bad = (detail: string): void => void problems.push({ severity: 'error', file, field: '', detail });
  const nothing = { value: undefined, lineOf: () => 1 };
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    bad(
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'is a folder; name the scenario file in it'
          : describeError(error),
    );
    return nothing;
  }
  const { values, problems: found } = parseYaml(text, file);
  problems.push(...found);
  if (values.length > 1) bad('holds more than one document; a scenario is one');
  if (values.length === 0 && found.length === 0)
    bad('is empty; it needs devices, models, queries, streams and durationS');
  return values[0] ?? nothing;
}

async function profilesOf(
  { profiles = [] }: ScenarioDocument,
  baseDir: string,
  problems: Problem[],
  report: Report,
): Promise<Profile[]> {
  const all: Profile[] = [];
  for (const [i, source] of (Array.isArray(profiles) ? profiles : [profiles]).entries()) {
    const here = Array.isArray(profiles) ? ['profiles', i] : ['profiles'];
    const read = await readProfiles(source, baseDir);
    for (const problem of read.problems) {
      if (problem.line === undefined && problem.field === '')
        report(problem.severity, here, `${source} ${problem.detail}`);
      else problems.push(problem);
    }
    all.push(...read.profiles);
  }
  return byBareName(all);
}

async function tracesOf(document: ScenarioDocument, baseDir: string, report: Report): Promise<Map<string, Trace>> {
  const traces = new Map<string, Trace>();
  for (const [i, { arrivals }] of document.streams.entries()) {
    if (arrivals?.kind !== 'trace' || traces.has(arrivals.file)) continue;
    const trace = await traceOf(resolve(baseDir, arrivals.file));
    if (typeof trace === 'string')
      report(
        'error',
        ['streams', i, 'arrivals', 'file'],
        `${arrivals.file} ${trace}`,
        'write lines of timeS,rateHz (or timeS,factor)',
      );
    else traces.set(arrivals.file, trace);
  }
  return traces;
}

/** Or what is wrong with it. */
async function traceOf(file: string): Promise<Trace | string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'ENOENT' ? 'does not exist' : describeError(error);
  }
  const { columns, rows } = parseCsv(text);
  const unit = (['rateHz', 'factor'] as const).find(column => columns.includes(column));
  if (!unit || !columns.includes('timeS')) return `has the columns ${columns.join(', ') || '(none)'}`;
  const steps: { atMs: number; rateHz?: number; factor?: number }[] = [];
  for (const { line, cells } of rows) {
    const [timeS, rate] = [Number(cells['timeS'] || Number.NaN), Number(cells[unit] || Number.NaN)];
    const atMs = 1000 * timeS;
    if (!(rate >= 0) || !Number.isFinite(rate)) return `line ${line}: ${unit} must be a number of at least 0`;
    const fits = steps.length === 0 ? atMs === 0 : atMs > steps.at(-1)!.atMs && Number.isFinite(atMs);
    if (!fits) return `line ${line}: timeS must begin with 0 and grow`;
    steps.push({ atMs, [unit]: rate });
  }
  if (steps.length === 0) return 'holds no rates';
  // The last step lasts as long as the one before it.
  const lastMs = steps.length > 1 ? steps.at(-1)!.atMs - steps.at(-2)!.atMs : 1000;
  return { steps, periodMs: steps.at(-1)!.atMs + lastMs };
}

/** What the parts of a scenario say of each other. */
function check(document: ScenarioDocument, sources: Sources, report: Report): void {
  const { devices, models, queries, streams, faults = [], policies = {} } = document;
  checkPolicies(policies, (path, detail, remedy) => report('error', path, detail, remedy));
  const kinds = [...new Set(devices.map(({ kind }) => kind))];
  const once = (names: readonly string[], at: string): void =>
    names.forEach((name, i) => {
      if (names.indexOf(name) !== i)
        report('error', [at, i, 'name'], `"${name}" is there twice`, 'give each its own name');
    });
  once(
    models.map(({ name }) => name),
    'models',
  );
  once(
    queries.map(({ name, tenant = '' }) => `${tenant}${tenant && '/'}${name}`),
    'queries',
  );
  once(
    streams.map(({ name, tenant = '' }) => `${tenant}${tenant && '/'}${name}`),
    'streams',
  );

  models.forEach((model, i) => {
    const { profile, name, alphaMs, betaMs } = model;
    const linear = alphaMs !== undefined || betaMs !== undefined;
    if (linear && (alphaMs ?? 0) + (betaMs ?? 0) <= 0)
      report('error', ['models', i, 'alphaMs'], 'alphaMs and betaMs are both 0: a run takes time');
    if (linear && profile !== undefined)
      report(
        'error',
        ['models', i, 'profile'],
        'has figures of its own besides',
        'keep profile, or alphaMs and betaMs',
      );
    if (model.prefix && !linear)
      report('error', ['models', i, 'prefix'], 'needs alphaMs and betaMs of the whole model', 'write them here');
    const missing = kinds.filter(kind => !profileOf(model, kind, 0, sources)?.points.length);
    const choice = [...new Set(sources.profiles.map(one => one.model))];
    const remedy = choice.length > 0 ? didYouMean(profile ?? name, choice, 'profiles') : 'write alphaMs and betaMs';
    const at = ['models', i, profile === undefined ? 'name' : 'profile'];
    if (missing.length === kinds.length)
      report('error', at, `no profile of "${profile ?? name}" on ${kinds.join(', ')}`, remedy);
    else if (missing.length > 0)
      report('warning', at, `no profile of "${profile ?? name}" on ${missing.join(', ')}: it can't run there`);
  });

  const modelNames = models.map(({ name }) => name);
  const streamNames = streams.map(({ name, count, tenant }) => ({
    name: count === undefined ? name : `${name}-1`,
    tenant,
  }));
  queries.forEach((query, i) => {
    for (const [name, stage] of Object.entries(query.stages)) {
      const here = ['queries', i, 'stages', name];
      if (!modelNames.includes(stage.model))
        report(
          'error',
          [...here, 'model'],
          `there is no model "${stage.model}"`,
          didYouMean(stage.model, modelNames, 'models'),
        );
      if (stage.from === undefined) continue;
      const others = Object.keys(query.stages).filter(other => other !== name);
      const parent = Object.hasOwn(query.stages, stage.from) ? query.stages[stage.from]! : undefined;
      if (!parent)
        report(
          'error',
          [...here, 'from'],
          `there is no stage "${stage.from}"`,
          didYouMean(stage.from, others, 'stages'),
        );
      else if (!stage.whole && models.find(model => model.name === parent.model)?.boxes === undefined)
        report(
          'error',
          [...here, 'from'],
          `model "${parent.model}" of stage "${stage.from}" finds no boxes`,
          `give it boxes: <mean number>, or write whole: true here`,
        );
    }
    const mine = streamNames.filter(({ tenant }) => (tenant ?? 'default') === (query.tenant ?? 'default'));
    if (!mine.some(({ name }) => reads(query, name)))
      report(
        'error',
        ['queries', i, 'streams'],
        'reads no stream of the scenario',
        didYouMean(
          query.streams?.[0] ?? '',
          mine.map(({ name }) => name),
          'streams',
        ),
      );
  });
  streams.forEach(({ name, count, tenant = 'default', arrivals, fromS = 0, toS = Infinity }, i) => {
    const stream = count === undefined ? name : `${name}-1`;
    if (!queries.some(query => (query.tenant ?? 'default') === tenant && reads(query, stream)))
      report('warning', ['streams', i, 'name'], `no query reads "${stream}"`);
    if (arrivals?.kind === 'bursty' && arrivals.everyS <= arrivals.burstS)
      report('error', ['streams', i, 'arrivals', 'everyS'], `must be longer than burstS (${arrivals.burstS})`);
    if (toS <= fromS) report('error', ['streams', i, 'toS'], `must be later than fromS (${fromS})`);
  });

  let hosts = hostsOf(document).length;
  [...faults.entries()]
    .sort(([, a], [, b]) => a.atS - b.atS)
    .forEach(([i, fault]) => {
      if (fault.kind === 'add') {
        hosts += fault.count ?? 1;
        if (fault.device !== undefined && !kinds.includes(fault.device))
          report(
            'error',
            ['faults', i, 'device'],
            `there is no device "${fault.device}"`,
            didYouMean(fault.device, kinds, 'devices'),
          );
      } else if (!(Number(/^gpu-([1-9]\d*)$/.exec(fault.host)?.[1] ?? Infinity) <= hosts))
        report(
          'error',
          ['faults', i, 'host'],
          `there is no host "${fault.host}" then`,
          `hosts are gpu-1 to gpu-${hosts}`,
        );
    });
}

/**
 * The same scenario with a policy of a user's in place of ours: for dispatch or for planning, as its file says.
 * @param path from where the process runs
 * @throws ConfigError
 */
export async function withPolicy(file: ScenarioFile, path: string): Promise<ScenarioFile> {
  const policy = await loadPolicy(path);
  const [field, at] = [policy.kind === 'dispatch' ? 'dispatch' : 'planning', resolve(path)];
  const { own = {} } = file.sources;
  return {
    ...file,
    document: { ...file.document, policies: { ...file.document.policies, [field]: at } },
    sources: { ...file.sources, own: { ...own, [policy.kind]: { [at]: policy } } },
  };
}
