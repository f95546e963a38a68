import type { Cancel } from '../../contracts/index.ts';

/** Lets a chart's `after` run on an actor's timers: pass it as `createActor(chart, { clock })`. */
export const chartClock = (after: (delayMs: number, fn: () => void) => Cancel) => ({
  setTimeout: (fn: () => void, delayMs: number): Cancel => after(delayMs, fn),
  clearTimeout: (cancel?: Cancel): void => cancel?.(),
});
