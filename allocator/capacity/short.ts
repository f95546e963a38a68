import type { Item } from './admit.ts';
import type { Demand } from './demand.ts';
import { curveOn, unitOf } from './unit.ts';
import type { SessionDemand } from './workload.ts';

/** Sessions planned in all trials together: some seconds at most, whatever the size of the workload. */
const PLANNED_MAX = 50_000;
/** The figure is at most so much above the least one that would do. */
const STEP = 1.02;
/** No objective beyond this is of use to anybody who waits. */
const FILL_MAX_MS = 60_000;

/**
 * For those who are refused for want of devices: with which objective they could have been served besides those who are,
 * with what is left. Looser objectives mean larger batches, which take less of a device. Each figure was planned with and
 * holds; one alone, not all together. Stages of a query are loosened by the same factor.
 * @param fits whether there is a plan for these
 * @returns by session; and of how many items the figure was sought: the first ones, as far as {@link PLANNED_MAX} goes
 */
export function nearestObjectives(
  demand: Demand,
  served: readonly SessionDemand[],
  refused: readonly Item[],
  fits: (sessions: readonly SessionDemand[]) => boolean,
): { sloMs: ReadonlyMap<string, number>; sought: number } {
  const sloMs = new Map<string, number>();
  let planned = 0;
  let sought = 0;
  for (const { sessions } of refused) {
    const most = Math.max(...sessions.map(session => loosestMs(session, demand) / session.sloMs));
    const steps = Math.max(0, Math.ceil(Math.log(most) / Math.log(STEP)));
    const trials = 1 + Math.ceil(Math.log2(Math.max(1, steps)));
    planned += trials * (served.length + sessions.length);
    if (planned > PLANNED_MAX) break;
    sought++;
    const looser = (step: number): SessionDemand[] =>
      sessions.map(session => ({ ...session, sloMs: Number((session.sloMs * STEP ** step).toPrecision(4)) }));
    const servedAt = (step: number): boolean => fits([...served, ...looser(step)]);
    if (steps === 0 || !servedAt(steps)) continue;
    let [low, high] = [0, steps];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (servedAt(middle)) high = middle;
      else low = middle;
    }
    for (const session of looser(high)) sloMs.set(session.name, session.sloMs);
  }
  return { sloMs, sought };
}

/** Beyond this, larger batches can't be had: twice the largest run and the time it takes to fill. */
function loosestMs(session: SessionDemand, { classes, workload }: Demand): number {
  const unit = unitOf([session], undefined);
  return classes.reduce((most, from) => {
    const curve = curveOn(unit, from.kind, workload.curves);
    if (!curve) return most;
    const fillMs = Math.min(FILL_MAX_MS, (curve.batchMax * 1000) / unit.rateHz);
    return Math.max(most, 2 * curve.latencyMs(curve.batchMax) + fillMs + curve.aroundMs);
  }, 0);
}
