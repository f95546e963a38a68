import { GanglionError } from '../../contracts/index.ts';

/** Where a part of a document stands: its keys and indices from the root. */
export type Path = readonly (string | number)[];

/** Something wrong in a user's file: where, what, and what to do. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** 1-based; absent when the file could not be read at all. */
  readonly line?: number;
  /** e.g. `stages.read.from`, `actors[1].name`; empty for the whole document. */
  readonly field: string;
  readonly detail: string;
  readonly remedy?: string;
}

/** `['actors', 1, 'name']` → `actors[1].name` */
export const fieldName = (path: Path): string =>
  path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');

/** `file:line: field: what is wrong` and, indented below, the remedy. */
export function formatProblem(problem: Problem): string {
  const place = problem.line === undefined ? problem.file : `${problem.file}:${problem.line}`;
  const kind = problem.severity === 'warning' ? 'warning: ' : '';
  const field = problem.field === '' ? '' : `${problem.field}: `;
  return `${place}: ${kind}${field}${problem.detail}${problem.remedy === undefined ? '' : `\n  ${problem.remedy}`}`;
}

/** Files of the user's are wrong. The message lists every problem, a line or two each. */
export class DocumentsError extends GanglionError {
  readonly code = 'config';
  readonly retryable = false;
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}
