import type { Random } from '../../contracts/index.ts';

const FIRST_MS = 250;
const LAST_MS = 30_000;

/** The wait before attempt `attempt` (0, 1, …) to reopen a source: doubling up to 30 s, of which a random 50–100 %. */
export const backoffMs = (attempt: number, random: Random): number =>
  Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(attempt, 16)) * (0.5 + random.next() / 2);
