import { readFile, readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describeError, Profile, validator } from '../../contracts/index.ts';
import { nearest, type Problem } from '../documents/index.ts';
import { parseCsv, type Csv, type CsvRow } from './csv.ts';
import type { InlineCurve } from './schema.ts';

/** Profiles from files or curves, and all that is wrong with them. */
export interface ReadProfiles {
  readonly profiles: readonly Profile[];
  readonly problems: readonly Problem[];
}

const BYTES_MAX = 64 * 1024 * 1024;
const BATCH_MAX = 4096;
const MB = 1e6;
const profileSchema = validator(Profile);

/** Reads a CSV file, a JSON file of `ganglion profile` (one profile or a list), or a folder of such. Never throws for a user's mistake. */
export async function readProfiles(path: string, baseDir: string): Promise<ReadProfiles> {
  const full = resolve(baseDir, path);
  try {
    const info = await stat(full);
    if (info.isDirectory()) {
      const names = (await readdir(full)).filter(name => /\.(csv|json)$/i.test(name)).sort();
      if (names.length === 0) return failed(path, 'is a folder without .csv or .json files');
      const all = await Promise.all(names.map(async name => readProfiles(join(path, name), baseDir)));
      return { profiles: all.flatMap(one => one.profiles), problems: all.flatMap(one => one.problems) };
    }
    if (info.size > BYTES_MAX) return failed(path, `has ${info.size} bytes, at most ${BYTES_MAX} are read`);
    const text = await readFile(full, 'utf8');
    return /^\s*[[{]/.test(text) ? profilesFromJson(text, path) : profilesFromCsv(text, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return failed(path, code === 'ENOENT' ? 'there is no such file' : describeError(error));
  }
}

const failed = (file: string, detail: string, remedy?: string): ReadProfiles => ({
  profiles: [],
  problems: [{ severity: 'error', file, field: '', detail, ...(remedy === undefined ? {} : { remedy }) }],
});

function profilesFromJson(text: string, file: string): ReadProfiles {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return failed(file, `is not JSON: ${describeError(error)}`);
  }
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) return failed(file, 'holds no profile', 'measure one: ganglion profile MODEL --out FILE');
  const problems: Problem[] = [];
  const profiles = list.flatMap((one, i) => {
    if (profileSchema.accepts(one)) return [one];
    const [first] = profileSchema.problems(one);
    const at = `${Array.isArray(value) ? `[${i}]` : ''}${(first?.path ?? '').replaceAll('/', '.')}`.replace(/^\./, '');
    const remedy = 'profiles are written by: ganglion profile MODEL --out FILE';
    problems.push({ severity: 'error', file, field: at, detail: first?.detail ?? 'is no profile', remedy });
    return [];
  });
  return { profiles, problems };
}

const MEASURED = ['model', 'device', 'batch', 'latencyMs'];
const LINEAR = ['model', 'device', 'alphaMs', 'betaMs', 'batchMax'];
const EXTRA = [
  'stdMs',
  'p99Ms',
  'memoryMB',
  'memoryBytes',
  'preMs',
  'postMs',
  'persistentMB',
  'ephemeralMBPerItem',
  'loadMs',
];
/** For people. */
const REMARKS = new Set(['provenance', 'source', 'note', 'input', 'licence', 'repeat', '']);

/** Profiles from CSV: measured points (`batch,latencyMs`) or linear curves (`alphaMs,betaMs,batchMax`). */
export function profilesFromCsv(text: string, file: string): ReadProfiles {
  const csv = parseCsv(text);
  const problems: Problem[] = [];
  const has = (columns: readonly string[]): boolean => columns.every(column => csv.columns.includes(column));
  const known = [...MEASURED, ...LINEAR, ...EXTRA];
  for (const column of csv.columns) {
    if (known.includes(column) || REMARKS.has(column)) continue;
    const near = nearest(
      column,
      known.filter(one => !csv.columns.includes(one)),
    );
    const remedy = near === undefined ? {} : { remedy: `did you mean "${near}"?` };
    problems.push({
      severity: 'warning',
      file,
      line: csv.headerLine,
      field: column,
      detail: 'is not a column that is read',
      ...remedy,
    });
  }
  const linear = has(LINEAR);
  if (!linear && !has(MEASURED)) {
    const wanted = csv.columns.includes('alphaMs') || csv.columns.includes('betaMs') ? LINEAR : MEASURED;
    const missing = wanted.filter(column => !csv.columns.includes(column));
    const detail =
      csv.columns.length === 0 ? 'is empty' : `lacks the column${missing.length > 1 ? 's' : ''} ${missing.join(', ')}`;
    const remedy = `begin with ${MEASURED.join(',')}[,stdMs,memoryMB] or ${LINEAR.join(',')}[,preMs,postMs,persistentMB,ephemeralMBPerItem]`;
    return {
      profiles: [],
      problems: [...problems, { severity: 'error', file, line: csv.headerLine, field: '', detail, remedy }],
    };
  }
  if (csv.rows.length === 0) {
    const detail = 'holds no profile: there is a header and nothing below it';
    return {
      profiles: [],
      problems: [
        ...problems,
        { severity: 'error', file, line: csv.headerLine, field: '', detail, remedy: 'add a row per model and device' },
      ],
    };
  }
  const profiles = linear ? linearCurves(csv, file, problems) : measuredCurves(csv, file, problems);
  return { profiles, problems };
}

/** Reads the numbers of a row; what is wrong is told once per cell. */
function cellsOf(row: CsvRow, file: string, problems: Problem[]) {
  const error = (field: string, detail: string, remedy?: string): undefined => {
    problems.push({
      severity: 'error',
      file,
      line: row.line,
      field,
      detail,
      ...(remedy === undefined ? {} : { remedy }),
    });
    return undefined;
  };
  return {
    error,
    text: (column: string): string | undefined =>
      row.cells[column] || error(column, 'is empty', `write the ${column}'s name`),
    number: (
      column: string,
      bounds: { min: number; max?: number; integer?: boolean; fallback?: number },
    ): number | undefined => {
      const cell = row.cells[column] ?? '';
      if (cell === '' && bounds.fallback !== undefined) return bounds.fallback;
      const value = cell === '' ? Number.NaN : Number(cell);
      const { min, max = Number.MAX_SAFE_INTEGER, integer = false } = bounds;
      if (Number.isFinite(value) && value >= min && value <= max && (!integer || Number.isInteger(value))) return value;
      const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
      return error(
        column,
        `must be a ${integer ? 'whole ' : ''}number ${range}, not ${cell === '' ? 'nothing' : `"${cell}"`}`,
      );
    },
  };
}

function linearCurves(csv: Csv, file: string, problems: Problem[]): Profile[] {
  const seen = new Map<string, number>();
  return csv.rows.flatMap(row => {
    const { text, number, error } = cellsOf(row, file, problems);
    const [model, device] = [text('model'), text('device')];
    const alphaMs = number('alphaMs', { min: 0 });
    const betaMs = number('betaMs', { min: 0 });
    const batchMax = number('batchMax', { min: 1, max: BATCH_MAX, integer: true });
    const optional = (column: string): number | undefined => number(column, { min: 0, fallback: 0 });
    const [preMs, postMs] = [optional('preMs'), optional('postMs')];
    const [persistentMB, ephemeralMBPerItem] = [optional('persistentMB'), optional('ephemeralMBPerItem')];
    const [stdMs, loadMs] = [optional('stdMs'), optional('loadMs')];
    const all = [
      model,
      device,
      alphaMs,
      betaMs,
      batchMax,
      preMs,
      postMs,
      persistentMB,
      ephemeralMBPerItem,
      stdMs,
      loadMs,
    ];
    if (all.includes(undefined)) return [];
    const key = `${model} on ${device}`;
    const before = seen.get(key);
    if (before !== undefined) error('model', `${key} is already given in line ${before}`, 'keep one of the two rows');
    seen.set(key, row.line);
    if (alphaMs! + betaMs! <= 0)
      error('alphaMs', 'alphaMs and betaMs are both 0: a run takes time', 'write the measured ones');
    const curve = {
      model: model!,
      device: device!,
      alphaMs: alphaMs!,
      betaMs: betaMs!,
      batchMax: batchMax!,
      preMs: preMs!,
    };
    const rest = { postMs: postMs!, persistentMB: persistentMB!, ephemeralMBPerItem: ephemeralMBPerItem! };
    return [linearProfile({ ...curve, ...rest }, stdMs, loadMs)];
  });
}

/** ℓ(b) = α·b + β as a profile: a curve is linear between two points, so the first and the last are all of it. */
export function linearProfile(curve: InlineCurve, stdMs = 0, loadMs = 0): Profile {
  const batches = curve.batchMax === 1 ? [1] : [1, curve.batchMax];
  return {
    v: 1,
    model: curve.model,
    device: curve.device,
    emulated: true,
    points: batches.map(batch => {
      const meanMs = curve.alphaMs * batch + curve.betaMs;
      const ephemeralBytes = Math.ceil((curve.ephemeralMBPerItem ?? 0) * MB * batch);
      return { batch, meanMs, stdMs, p99Ms: meanMs + 2.33 * stdMs, ephemeralBytes, repeats: 0 };
    }),
    persistentBytes: Math.ceil((curve.persistentMB ?? 0) * MB),
    loadMs,
    preMs: curve.preMs ?? 0,
    postMs: curve.postMs ?? 0,
  };
}

interface Measured {
  readonly rows: CsvRow[];
  readonly points: Map<number, Profile['points'][number] & { readonly memoryBytes: number }>;
}

/**
 * Measured points. `memoryMB` is what a run at this batch holds altogether; what it holds at the smallest batch counts as
 * persistent, which is exact for a model alone and on the safe side where several share a device.
 */
function measuredCurves(csv: Csv, file: string, problems: Problem[]): Profile[] {
  const found = new Map<string, Measured>();
  for (const row of csv.rows) {
    const { text, number, error } = cellsOf(row, file, problems);
    const [model, device] = [text('model'), text('device')];
    const batch = number('batch', { min: 1, max: BATCH_MAX, integer: true });
    const meanMs = number('latencyMs', { min: Number.MIN_VALUE });
    const stdMs = number('stdMs', { min: 0, fallback: 0 });
    const memoryMB = number('memoryMB', { min: 0, fallback: (Number(row.cells['memoryBytes']) || 0) / MB });
    if ([model, device, batch, meanMs, stdMs, memoryMB].includes(undefined)) continue;
    const p99Ms = number('p99Ms', { min: 0, fallback: meanMs! + 2.33 * stdMs! }) ?? meanMs!;
    const key = `${model}\0${device}`;
    const one: Measured = found.get(key) ?? { rows: [], points: new Map() };
    if (one.points.has(batch!))
      error('batch', `batch ${batch} of ${model} on ${device} was measured twice`, 'keep one of the two rows');
    one.rows.push(row);
    one.points.set(batch!, {
      batch: batch!,
      meanMs: meanMs!,
      stdMs: stdMs!,
      p99Ms,
      ephemeralBytes: 0,
      repeats: 0,
      memoryBytes: memoryMB! * MB,
    });
    found.set(key, one);
  }
  return [...found].map(([key, { rows, points }]) => {
    const [model, device] = key.split('\0') as [string, string];
    const { number } = cellsOf(rows[0]!, file, problems);
    const of = (column: string): number => number(column, { min: 0, fallback: 0 }) ?? 0;
    const sorted = [...points.values()].toSorted((a, b) => a.batch - b.batch);
    const declared = of('persistentMB') * MB;
    const persistentBytes = Math.ceil(declared > 0 ? declared : Math.min(...sorted.map(point => point.memoryBytes)));
    const perItem = of('ephemeralMBPerItem') * MB;
    return {
      v: 1 as const,
      model,
      device,
      emulated: false,
      points: sorted.map(({ memoryBytes, ...point }) => ({
        ...point,
        ephemeralBytes: Math.ceil(Math.max(0, memoryBytes - persistentBytes, perItem * point.batch)),
      })),
      persistentBytes,
      loadMs: of('loadMs'),
      preMs: of('preMs'),
      postMs: of('postMs'),
    };
  });
}

/** Our profiler names models `<name>@<hash>`: they are found by their bare names too, of several versions the latest measured. */
export function byBareName(profiles: readonly Profile[]): Profile[] {
  const exact = new Set(profiles.map(profile => `${profile.model}\0${profile.device}`));
  const bare = new Map<string, Profile>();
  for (const profile of profiles) {
    const model = profile.model.split('@')[0]!;
    const key = `${model}\0${profile.device}`;
    if (exact.has(key)) continue;
    const other = bare.get(key);
    if (!other || (other.measuredAt ?? '') < (profile.measuredAt ?? '')) bare.set(key, { ...profile, model });
  }
  return [...profiles, ...bare.values()];
}
