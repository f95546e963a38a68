import type { Lab } from '../lab.ts';
import type { RowResult } from '../results.ts';
import { oneModelRow } from './one-model.ts';

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly run: (lab: Lab) => Promise<RowResult>;
}

/** In the order of the report. */
export const ROWS: readonly Row[] = [{ id: 'one-model', title: 'One model, 1 to 16 GPUs', run: oneModelRow }];
