import { staggeredBoundHz } from '../bounds.ts';
import { CURVES } from '../curves.ts';
import type { Lab } from '../lab.ts';
import type { Cell, Group, RowResult, Target } from '../results.ts';
import { missingOf, NEXUS, OURS, under } from '../systems.ts';
import { CASES, oneModel } from './one-model.ts';

const HOSTS = 16;
const SHARES = [0.25, 0.5, 0.8];
const SYSTEMS = [OURS, NEXUS];

/** How many GPUs the planner takes by itself, and whether they do. */
export async function plannedRow(lab: Lab): Promise<RowResult> {
  const groups: Group[] = [];
  const bad: { rate: number; where: string }[] = [];
  for (const one of CASES) {
    const cells: Cell[] = [];
    for (const share of SHARES) {
      const rateHz = share * staggeredBoundHz(CURVES[one.curve], one.objectiveMs, HOSTS);
      const x = `${Math.round(rateHz)}/s`;
      for (const system of SYSTEMS) {
        const missing = missingOf(system);
        if (missing !== undefined) {
          cells.push({ x, system: system.id, value: null, note: `not run: ${missing}` });
          continue;
        }
        const setting = { ...under(oneModel(one, HOSTS), system), allGiven: false };
        // Declared rates are multiplied with those of the streams.
        const { gpusUsed, badRate } = await lab.point(setting, 1, share);
        if (system.id === OURS.id) bad.push({ rate: badRate, where: `${x}, ${one.name}` });
        const note = badRate > 0.01 ? { note: `${(100 * badRate).toFixed(1)} % bad` } : {};
        cells.push({ x, system: system.id, value: gpusUsed, ...note });
      }
    }
    groups.push({ name: one.name, cells });
  }
  const worst = bad.toSorted((a, b) => b.rate - a.rate)[0];
  const target: Target = {
    what: `one model, up to ${HOSTS} GPUs, as many as the planner takes: bad frames, the worst of all`,
    target: '≤ 1 %',
    reached: worst ? `${(100 * worst.rate).toFixed(1)} % (${worst.where})` : '',
    met: worst ? worst.rate <= 0.01 : null,
  };
  return {
    id: 'planned',
    title: 'One model: GPUs that the planner takes',
    about: [
      `As above, but ${HOSTS} emulated GPUs are there and the planner takes as many as it thinks are needed for a rate that it knows. A star: more than 1 % were bad with them.`,
    ],
    unit: 'GPUs',
    xName: 'frames',
    systems: SYSTEMS,
    ratios: [['ours', 'nexus']],
    groups,
    targets: [target],
  };
}
