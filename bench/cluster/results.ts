/** A figure of the report. */
export interface Cell {
  readonly x: number | string;
  /** One of {@link RowResult.systems}. */
  readonly system: string;
  /** null: it serves no rate, or was not run; `note` says which. */
  readonly value: number | null;
  readonly low?: number;
  readonly high?: number;
  readonly note?: string;
}

/** Cells that belong together: one table, one picture. */
export interface Group {
  readonly name: string;
  readonly cells: readonly Cell[];
  /** false: a table only. */
  readonly drawn?: boolean;
}

export interface Target {
  readonly what: string;
  readonly target: string;
  readonly reached: string;
  /** null: not run. */
  readonly met: boolean | null;
}

/** Of several runs, over time. */
export interface Timeline {
  readonly title: string;
  readonly unit: string;
  readonly bucketS: number;
  readonly lines: readonly { readonly name: string; readonly values: readonly number[] }[];
}

/** One row of the evaluation as it is kept in docs/evaluation/data. */
export interface RowResult {
  readonly id: string;
  readonly title: string;
  /** Sentences: what runs, on what, how it is measured, what is assumed. */
  readonly about: readonly string[];
  readonly unit: string;
  readonly xName: string;
  readonly systems: readonly { readonly id: string; readonly title: string }[];
  /** Ratios that the table shows: of one system over another. */
  readonly ratios?: readonly (readonly [over: string, under: string])[];
  /** Pictures show shares of this system, where rates themselves would hide the differences. */
  readonly drawnOver?: string;
  readonly groups: readonly Group[];
  readonly timelines?: readonly Timeline[];
  readonly targets: readonly Target[];
  /** What the paper says, on its own hardware. */
  readonly paper?: string;
  /** Where it isn't as the options of the run say. */
  readonly measured?: Pick<Made, 'seeds' | 'framesMin'>;
  /** What the figures show, and what was odd. */
  readonly remarks?: readonly string[];
}

/** How a row came about. */
export interface Made {
  readonly commit: string;
  readonly seeds: readonly number[];
  readonly framesMin: number;
  /** Processor time of all its runs. */
  readonly spentS: number;
}

export type KeptRow = RowResult & { readonly made: Made };

export const cellOf = (group: Group | undefined, system: string, x: Cell['x']): Cell | undefined =>
  group?.cells.find(cell => cell.system === system && cell.x === x);

/** How far a ratio of two cells is from what is asked for. */
export function ratioTarget(
  row: Pick<RowResult, 'groups'>,
  asked: { what: string; group: string; x: Cell['x']; over: string; under: string; least: number },
): Target {
  const { what, x, over, under, least } = asked;
  const group = row.groups.find(({ name }) => name === asked.group);
  const [a, b] = [cellOf(group, over, x), cellOf(group, under, x)];
  const target = `≥ ${least.toFixed(2)} ×`;
  const unrun = [a, b].some(cell => !cell || cell.note?.startsWith('not run'));
  if (unrun) return { what, target, reached: '', met: null };
  if (!a!.value) return { what, target, reached: 'serves no rate', met: false };
  if (!b!.value) return { what, target, reached: 'the other serves no rate', met: true };
  const ratio = a!.value / b!.value;
  return { what, target, reached: `${ratio.toFixed(2)} ×`, met: ratio >= least };
}
