import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { describeError, validator, type Profile } from '../../contracts/index.ts';
import {
  DocumentsError,
  fieldName,
  misfits,
  parseYaml,
  type LineOf,
  type Path,
  type Problem,
} from '../documents/index.ts';
import { checkWorkload } from './check.ts';
import { linearProfile } from './linear.ts';
import { byBareName, readProfiles } from './profiles.ts';
import { WorkloadDocument } from './schema.ts';

/** A workload file that was read and found right, with the profiles that it names. */
export interface WorkloadFile {
  readonly document: WorkloadDocument;
  readonly profiles: readonly Profile[];
  /** What is odd, but can be planned with. */
  readonly warnings: readonly Problem[];
}

/** A million sessions in JSON have about 80 MB. */
const BYTES_MAX = 512 * 1024 * 1024;
/** Looking up the lines of problems in larger JSON files would take longer than people wait. */
const LOCATED_BYTES_MAX = 8 * 1024 * 1024;
const PROBLEMS_MAX = 100;
const accepts = validator(WorkloadDocument);

export type Report = (severity: Problem['severity'], path: Path, detail: string, remedy?: string, at?: 'key') => void;

/** Reads a workload (YAML or JSON) and its profiles. @throws DocumentsError that names each wrong field, with its line and what to do */
export async function readWorkload(file: string): Promise<WorkloadFile> {
  const problems: Problem[] = [];
  const finish = (): void => {
    const errors = problems.filter(problem => problem.severity === 'error');
    if (errors.length === 0) return;
    const more = errors.length - PROBLEMS_MAX;
    const rest: Problem[] =
      more > 0 ? [{ severity: 'error', file, field: '', detail: `${more} more problems like these` }] : [];
    throw new DocumentsError([...errors.slice(0, PROBLEMS_MAX), ...rest]);
  };
  const text = await textOf(file, problems);
  finish();
  const { value, lineOf } = parse(text, file, problems);
  finish();
  const report: Report = (severity, path, detail, remedy, at) => {
    // Beyond what is printed the line isn't looked up.
    const line = problems.length < PROBLEMS_MAX ? lineOf(path, at) : undefined;
    const where = { severity, file, ...(line === undefined ? {} : { line }), field: fieldName(path), detail };
    problems.push(remedy === undefined ? where : { ...where, remedy });
  };
  for (const { path, at, detail, remedy } of misfits(WorkloadDocument, value, 'workload')) {
    report('error', path, detail, remedy, at === 'key' ? 'key' : undefined);
  }
  finish();
  // The compiled schema has the last word, so that nothing slips past our own wording.
  for (const { path, detail } of accepts.problems(value)) report('error', path.split('/').slice(1), detail);
  finish();
  const document = value as WorkloadDocument;
  const profiles = await profilesOf(document, file, problems, report);
  finish();
  checkWorkload(document, profiles, report);
  finish();
  return { document, profiles, warnings: problems };
}

async function textOf(file: string, problems: Problem[]): Promise<string> {
  const fail = (detail: string): string => {
    problems.push({ severity: 'error', file, field: '', detail });
    return '';
  };
  try {
    const info = await stat(file);
    if (info.isDirectory()) return fail('is a folder; name the workload file in it');
    if (info.size > BYTES_MAX) return fail(`has ${info.size} bytes, at most ${BYTES_MAX} are read`);
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return fail(code === 'ENOENT' ? 'there is no such file' : describeError(error));
  }
}

type MaybeLineOf = (...args: Parameters<LineOf>) => number | undefined;

/** JSON is read as such, which is a hundred times faster; its lines are looked up when there is something to say about them. */
function parse(text: string, file: string, problems: Problem[]): { value: unknown; lineOf: MaybeLineOf } {
  if (/^\s*\{/.test(text)) {
    try {
      const value: unknown = JSON.parse(text);
      let lines: LineOf | undefined;
      return {
        value,
        lineOf: (path, at) => {
          if (text.length > LOCATED_BYTES_MAX) return undefined;
          lines ??= parseYaml(text, file).values[0]?.lineOf;
          return lines?.(path, at);
        },
      };
    } catch {
      // Perhaps YAML in flow style; if not, that reader says where it breaks.
    }
  }
  const { values, problems: found } = parseYaml(text, file);
  problems.push(...found);
  const [first, ...more] = values;
  const bad = (detail: string, line?: number): void =>
    void problems.push({ severity: 'error', file, ...(line === undefined ? {} : { line }), field: '', detail });
  if (more[0]) bad('holds more than one document; a workload is one', more[0].lineOf([]));
  if (!first && found.length === 0) bad('is empty; it needs devices, profiles, and sessions or queries');
  return first ?? { value: undefined, lineOf: () => undefined };
}

/** Curves take mean + standard deviation: the figure that is wanted becomes the mean, without deviation. */
function asPlanned(profile: Profile, planWith: NonNullable<WorkloadDocument['planWith']>): Profile {
  if (planWith === 'mean+std') return profile;
  const points = profile.points.map(point => ({
    ...point,
    meanMs: planWith === 'p99' ? Math.max(point.meanMs, point.p99Ms) : point.meanMs,
    stdMs: 0,
  }));
  return { ...profile, points };
}

async function profilesOf(document: WorkloadDocument, file: string, problems: Problem[], report: Report) {
  const profiles: Profile[] = [];
  const baseDir = dirname(resolve(file));
  /** Model and device → the source that gives it. */
  const givenBy = new Map<string, number>();
  const sources = Array.isArray(document.profiles) ? document.profiles : [document.profiles];
  for (const [i, source] of sources.entries()) {
    const here = Array.isArray(document.profiles) ? ['profiles', i] : ['profiles'];
    const before = profiles.length;
    if (typeof source === 'string') {
      const read = await readProfiles(source, baseDir);
      for (const problem of read.problems) {
        if (problem.line === undefined && problem.field === '')
          report(problem.severity, here, `${source} ${problem.detail}`);
        else problems.push(problem);
      }
      for (const profile of read.profiles) profiles.push(profile);
    } else if (source.alphaMs + source.betaMs <= 0) {
      report(
        'error',
        [...here, 'alphaMs'],
        'alphaMs and betaMs are both 0: a run takes time',
        'write the measured ones',
      );
    } else profiles.push(linearProfile(source));
    for (const { model, device } of profiles.slice(before)) {
      const key = `${model}\0${device}`;
      const twice = (givenBy.get(key) ?? i) !== i;
      givenBy.set(key, i);
      if (twice) report('error', here, `a profile of ${model} on ${device} is given twice`, 'keep one of the two');
    }
  }
  return byBareName(profiles.map(profile => asPlanned(profile, document.planWith ?? 'mean+std')));
}
