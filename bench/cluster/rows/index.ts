import type { Lab } from '../lab.ts';
import type { RowResult, Target } from '../results.ts';
import { gameRow } from './game.ts';
import { largeRow, surgeRow } from './large.ts';
import { manyRow } from './many.ts';
import { dropRow, multiplexingRow, prefixRow, splitRow } from './micro.ts';
import { oneModelRow } from './one-model.ts';
import { plannedRow } from './planned.ts';
import { realRow } from './real.ts';
import { robustRow } from './robust.ts';
import { trafficRow } from './traffic.ts';

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly run: (lab: Lab) => Promise<RowResult>;
  readonly asked?: readonly Pick<Target, 'what' | 'target'>[];
}

/** In the order of the report. */
export const ROWS: readonly Row[] = [
  { id: 'one-model', title: 'One model, 1 to 16 GPUs', run: oneModelRow },
  { id: 'planned', title: 'One model: GPUs that the planner takes', run: plannedRow },
  { id: 'game', title: 'Game analysis', run: gameRow },
  { id: 'traffic', title: 'Traffic analysis', run: trafficRow },
  { id: 'many', title: 'Many sessions: GPUs needed', run: manyRow },
  {
    id: 'large',
    title: 'A hundred GPUs, a changing workload',
    run: largeRow,
    asked: [
      { what: '100 GPUs, 1000 s: mean bad rate', target: '< 0.27 %' },
      { what: '100 GPUs, 1000 s: GPUs used, mean', target: "≤ Nexus's" },
      { what: '100 GPUs, 1000 s: surge served again', target: '< 12 s' },
    ],
  },
  { id: 'surge', title: 'A hundred GPUs in real speed', run: surgeRow },
  { id: 'robust', title: 'Robustness', run: robustRow },
  { id: 'multiplexing', title: 'Several models on one GPU', run: multiplexingRow },
  { id: 'split', title: 'Query split against γ', run: splitRow },
  { id: 'drop', title: 'Early against lazy drop', run: dropRow },
  { id: 'prefix', title: 'Prefix batching, 1 to 20 variants', run: prefixRow },
  { id: 'real', title: 'Simulated against real processes', run: realRow },
];
