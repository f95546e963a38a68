import type { Profile } from '../../contracts/index.ts';
import { nearest, type Problem } from '../documents/index.ts';
import { parseCsv, type Csv, type CsvRow } from './csv.ts';
import { linearProfile } from './linear.ts';
import type { ReadProfiles } from './profiles.ts';

const BATCH_MAX = 4096;
const MB = 1e6;
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
  for (const { line, surplus } of csv.rows) {
    if (surplus === 0) continue;
    const detail = `has ${surplus} more fields than the header has columns`;
    problems.push({ severity: 'error', file, line, field: '', detail, remedy: 'put texts with commas in quotes' });
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
      bounds: { min: number; above?: boolean; max?: number; integer?: boolean; fallback?: number },
    ): number | undefined => {
      const cell = row.cells[column] ?? '';
      if (cell === '' && bounds.fallback !== undefined) return bounds.fallback;
      const value = cell === '' ? Number.NaN : Number(cell);
      const { min, above = false, max = Number.MAX_SAFE_INTEGER, integer = false } = bounds;
      const inside = above ? value > min : value >= min;
      if (Number.isFinite(value) && inside && value <= max && (!integer || Number.isInteger(value))) return value;
      const range = above
        ? `above ${min}`
        : max === Number.MAX_SAFE_INTEGER
          ? `of at least ${min}`
          : `from ${min} to ${max}`;
      return error(
        column,
        `must be a ${integer ? 'whole ' : ''}number ${range}, not ${cell === '' ? 'nothing' : `"${cell}"`}`,
        'write digits, with a dot for fractions and without a unit',
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
    const meanMs = number('latencyMs', { min: 0, above: true });
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
