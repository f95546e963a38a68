import { ConfigError } from '../../contracts/index.ts';
import type { Goodput, Lab, Setting } from './lab.ts';
import type { Cell } from './results.ts';
import { missingOf, under, type System } from './systems.ts';

/** The goodput of a system in a setting, or why there is none. */
export async function goodputCell(
  lab: Lab,
  setting: Setting,
  { system, x, expected, step = 1.06 }: { system: System; x: Cell['x']; expected?: number; step?: number },
): Promise<Cell> {
  const missing = missingOf(system);
  if (missing !== undefined) return { x, system: system.id, value: null, note: `not run: ${missing}` };
  const found = await goodputOrNone(lab, under(setting, system), { expected: expected ?? 1, step });
  if (!found) return { x, system: system.id, value: null, note: 'serves no rate with 99 % in time' };
  const { hz, lowHz, highHz, failedHz } = found;
  const note =
    failedHz.length > 0 ? { note: `fails at ${failedHz.map(one => `${one.toFixed(0)}/s`).join(', ')} already` } : {};
  return { x, system: system.id, value: hz, low: lowHz, high: highHz, ...note };
}

/** A policy that serves no rate with 99 % in time is a result. */
async function goodputOrNone(
  lab: Lab,
  setting: Setting,
  around: { expected: number; step: number },
): Promise<Goodput | undefined> {
  try {
    return await lab.goodput(setting, around);
  } catch (error) {
    if (error instanceof ConfigError && /no rate is served/.test(error.message)) return undefined;
    throw error;
  }
}
