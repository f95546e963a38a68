/**
 * When a stream is sampled. Frame `seq` shows the stream time seq · 1000 / rateHz, counted from 2026-01-01 UTC: so
 * numbers go on growing when a sampler restarts or another one takes over, and (for a synthetic stream) the same number
 * is the same picture whoever made it.
 */
const STREAM_EPOCH_UNIX_MS = 1_767_225_600_000;

/** The stream time that frame `seq` shows, ms. */
export const frameTimeOf = (document: { readonly rateHz: number }, seq: number): number =>
  (seq * 1000) / document.rateHz;

/** Stream time for a Unix time; a clock that stands before the epoch (a simulated one) counts from 1970. */
const streamTimeOf = (unixMs: number): number =>
  unixMs >= STREAM_EPOCH_UNIX_MS ? unixMs - STREAM_EPOCH_UNIX_MS : unixMs;

/** A drift-free grid: instant `seq` is due at originMs + (seq − firstSeq) · periodMs, however long each one took. */
export interface Grid {
  readonly firstSeq: number;
  readonly originMs: number;
  readonly periodMs: number;
}

/**
 * `phase` (0..1) shifts the instants of one stream against those of others with the same rate, so that they don't all
 * publish at once. `afterSeq`: numbers up to it were used already.
 */
export function gridFrom(now: {
  rateHz: number;
  phase: number;
  nowMs: number;
  unixMs: number;
  afterSeq: number | undefined;
}): Grid {
  const periodMs = 1000 / now.rateHz;
  const position = streamTimeOf(now.unixMs) / periodMs - now.phase;
  const firstSeq = Math.max(0, Math.ceil(position), (now.afterSeq ?? -1) + 1);
  const aheadMs = Math.ceil(position) * periodMs - position * periodMs;
  return { firstSeq, originMs: now.nowMs + Math.max(0, aheadMs), periodMs };
}

export const dueMsOf = (grid: Grid, seq: number): number => grid.originMs + (seq - grid.firstSeq) * grid.periodMs;

/** The next instant after `seq` that is not yet past: those between are missed, never queued. */
export function nextSeq(grid: Grid, seq: number, nowMs: number): number {
  const behind = (nowMs - dueMsOf(grid, seq)) / grid.periodMs;
  return seq + Math.max(1, Math.ceil(behind - 1e-6));
}

/**
 * Lets pictures that come at their own times through at `rateHz` at most, drift-free: one that comes up to a quarter of
 * a period early still belongs to its instant, so a source of the same rate with jitter loses none.
 */
export class RateGate {
  readonly #periodMs: number;
  #dueMs = -Infinity;

  constructor(rateHz: number) {
    this.#periodMs = 1000 / rateHz;
  }

  admits(nowMs: number): boolean {
    if (nowMs < this.#dueMs - this.#periodMs / 4) return false;
    const late = nowMs - this.#dueMs > this.#periodMs;
    this.#dueMs = (late ? nowMs : this.#dueMs) + this.#periodMs;
    return true;
  }
}
