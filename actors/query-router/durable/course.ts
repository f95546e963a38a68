import type { Result } from '../../../contracts/index.ts';

/** What becomes of a stored frame after an attempt. */
export type Course =
  /** Its result is published, and that was it. */
  | { readonly go: 'end' }
  /** It is tried again. */
  | { readonly go: 'again'; readonly inMs: number }
  /** It can't be processed: its result says why, and it is put away as a dead letter. */
  | { readonly go: 'bury' };

/** A frame that fails on the way, though hosts had it, is given up after so many attempts: it may be what breaks them. */
const ATTEMPTS_MAX = 5;
const AGAIN_MS_MIN = 250;
const AGAIN_MS_MAX = 10_000;

/**
 * Frames wait for capacity, a plan or a host as long as it takes; only what can't succeed, or was given to hosts in vain
 * {@link ATTEMPTS_MAX} times, ends without an answer.
 * @param attempt 1 at the first
 */
export function courseOf({ outcome, trouble }: Pick<Result, 'outcome' | 'trouble'>, attempt: number): Course {
  if (outcome === 'ok' || outcome === 'late') return { go: 'end' };
  if (!trouble?.retryable) return { go: 'bury' };
  const suspect = outcome === 'failed' || (trouble.at === 'router' && trouble.reason === 'no-capacity');
  if (suspect && attempt >= ATTEMPTS_MAX) return { go: 'bury' };
  return { go: 'again', inMs: Math.min(AGAIN_MS_MAX, AGAIN_MS_MIN * 2 ** Math.min(attempt - 1, 16)) };
}
