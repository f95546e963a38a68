const GAIN = 0.1;
const RATIO_MIN = 0.25;
const RATIO_MAX = 4;
const RECENT = 32;
/** So many runs, before their tail is trusted more than the profile's. */
const TRUSTED = 16;
/** A tail above this share of the mean is a fault to notice, not a margin to plan with. */
const MARGIN_SHARE_MAX = 0.5;

/**
 * How the runs of one model on one host compare with its profile: a mean ratio (exponentially weighted) and the second largest
 * excess over it among the latest 32 runs, about their 95th percentile and deaf to a single outlier.
 */
export class Fit {
  #ratio = 1;
  #runs = 0;
  #tailShare = 0;
  #runsAtRelax = 0;
  readonly #excess = new Float64Array(RECENT);
  #version = 0;

  /** Observed by predicted mean device time. */
  get ratio(): number {
    return this.#ratio;
  }

  /** Grows when what it says of a batch changes. */
  get version(): number {
    return this.#version;
  }

  observe(predictedMs: number, runMs: number): void {
    if (!(predictedMs > 0) || !(runMs >= 0)) return;
    const seen = Math.min(Math.max(runMs / predictedMs, this.#ratio / 2), this.#ratio * 2);
    this.#excess[this.#runs % RECENT] = Math.max(0, runMs / predictedMs / this.#ratio - 1);
    this.#runs++;
    const ratio = Math.min(RATIO_MAX, Math.max(RATIO_MIN, this.#ratio + GAIN * (seen - this.#ratio)));
    const tailShare = this.#secondLargest();
    if (ratio !== this.#ratio || tailShare !== this.#tailShare || this.#runs === TRUSTED) this.#version++;
    this.#ratio = ratio;
    this.#tailShare = tailShare;
  }

  /**
   * Forgets a little where nothing ran since the latest call: a host that once was so slow that nothing fits would else never
   * be tried again. Called once a second.
   */
  relax(): void {
    if (this.#runs === this.#runsAtRelax && this.#ratio !== 1) {
      this.#ratio += 2 * GAIN * (1 - this.#ratio);
      this.#version++;
    }
    this.#runsAtRelax = this.#runs;
  }

  /** `meanMs`: of such a batch by the profile. */
  expectedMs(meanMs: number): number {
    return meanMs * this.#ratio;
  }

  /** Expected time and margin: what deadlines are kept with. `meanMs`, `tailMs`: by the profile. */
  latencyMs(meanMs: number, tailMs: number, marginMsMin: number): number {
    const expectedMs = this.expectedMs(meanMs);
    // Both, whichever counts: a branch that is taken for the first time has all that ask for this compiled anew.
    const toldMs = tailMs * this.#ratio;
    const seenMs = expectedMs * this.#tailShare;
    const marginMs = this.#runs < TRUSTED ? toldMs : seenMs;
    return expectedMs + Math.max(marginMsMin, Math.min(marginMs, MARGIN_SHARE_MAX * expectedMs));
  }

  #secondLargest(): number {
    let first = 0;
    let second = 0;
    for (const excess of this.#excess) {
      if (excess > second) second = Math.min(excess, first);
      if (excess > first) first = excess;
    }
    return second;
  }
}
