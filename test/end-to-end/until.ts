import { describeError, sleep } from '../../contracts/index.ts';
import { realClock } from '../../bus/index.ts';

const LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 50;

/**
 * Looks again and again until `probe` gives something, and returns it. A probe that throws has not got it yet.
 * @throws Error saying what was waited for and how things stood at last
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  options: { limitMs?: number; state?: () => unknown } = {},
): Promise<NonNullable<T>> {
  const { limitMs = LIMIT_MS, state } = options;
  const deadlineMs = realClock.nowMs() + limitMs;
  let last = '';
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== null && found !== false) return found;
      last = `it was ${String(found)}`;
    } catch (error) {
      last = describeError(error);
    }
    if (realClock.nowMs() > deadlineMs) {
      const stood = state
        ? `\n${typeof state() === 'string' ? String(state()) : JSON.stringify(state(), null, 1)}`
        : '';
      throw new Error(`${what}: not so within ${limitMs / 1000} s; at last ${last}${stood}`);
    }
    await sleep(realClock, LOOK_EVERY_MS);
  }
}
