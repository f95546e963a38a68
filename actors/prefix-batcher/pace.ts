const GAIN = 0.25;
/** So many runs, before a host is judged by them. */
const RUNS_MIN = 8;
/** So much slower than it should be, persistently, a host is relieved; or that much slower twice in a row. */
const SLOW = 3;
const VERY_SLOW = 8;
/** Added to both times: a run of a millisecond that takes ten met a busy processor, not a sick device. */
const BLUR_MS = 2;
/** It is taken back after three probes in a row below this: between the two it stays what it is. */
const WELL = 2;
const PROBES_WELL = 3;
export const PROBE_MS = 1000;
/** A probe that can't be in time at the host's pace waits for one that can, at most so much longer. */
export const PROBE_MS_MAX = 10_000;

/**
 * How long a host's runs take against their profiles, over all its models: a geometric mean, so that one long run counts little. What all hosts
 * of a pool share (a profile that is wrong, a busy machine) is no fault of one: each is held against the median of the others.
 */
export class Pace {
  /** Found too slow, and not well again since. */
  slow = false;
  probeAtMs = -Infinity;
  #logRatio = 0;
  #latest = 1;
  #before = 1;
  #runs = 0;
  #well = 0;

  /** Measured by expected device time, recent mean. */
  get ratio(): number {
    return Math.exp(this.#logRatio);
  }

  get isKnown(): boolean {
    return this.#runs >= RUNS_MIN;
  }

  observe(meanMs: number, runMs: number): void {
    if (!(meanMs > 0) || !(runMs > 0)) return;
    this.#before = this.#latest;
    this.#latest = (runMs + BLUR_MS) / (meanMs + BLUR_MS);
    this.#runs++;
    this.#logRatio += GAIN * (Math.log(this.#latest) - this.#logRatio);
    this.#well = this.#latest < WELL ? this.#well + 1 : 0;
  }

  /** @param usual pace of the other hosts; at least 1 */
  judge(usual: number): void {
    if (this.slow) {
      if (this.#well < PROBES_WELL) return;
      this.slow = false;
      this.#logRatio = Math.log(this.#latest);
      this.#runs = 0;
      return;
    }
    const persistently = this.isKnown && this.ratio > SLOW * usual;
    const extremely = Math.min(this.#latest, this.#before) > VERY_SLOW * usual;
    if (!persistently && !extremely) return;
    this.slow = true;
    this.#well = 0;
  }
}
