/** Beats are put together to slots of about a second, at least this long. */
const SLOT_S_MIN = 0.9;
/** Lengths of the windows that are looked at, in slots. */
export const WINDOWS = [1, 2, 4, 8] as const;
type Window = (typeof WINDOWS)[number];
/** A window, and the two before it that tell how much such windows differ. */
const KEPT = 3 * Math.max(...WINDOWS);
/** Low rates take so many times as long to average. */
export const LONGER = 6;
/** τ of what is known of a stream's variation. */
const VARIATION_S = 120;
/** Until it is known it counts as so many times that of a Poisson stream … */
const PRIOR_DISPERSION = 4;
/** … with the weight of this part of all that is averaged over. */
const PRIOR_WEIGHT = 0.1;

/** An exponential average over τ. */
export class Average {
  readonly #seconds: number;
  #sum = 0;
  #weight = 0;

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  add(value: number, seconds: number): void {
    const fresh = 1 - Math.exp(-seconds / this.#seconds);
    this.#sum += fresh * (value - this.#sum);
    this.#weight += fresh * (1 - this.#weight);
  }

  /** Of a sum: all of them since the first one began, so that those that began later were 0 before. Σ/Σ weight has no bias towards first values. */
  static sum(all: readonly Average[]): number {
    const weight = Math.max(0, ...all.map(one => one.#weight));
    return weight > 0 ? all.reduce((sum, one) => sum + one.#sum, 0) / weight : 0;
  }

  /** With something else as long as little is known; `weight`: of all that is averaged over. */
  valueOr(other: number, weight: number): number {
    return (this.#sum + weight * other) / (this.#weight + weight);
  }
}

/** The rate of one stage as one router sees it: its average, its latest seconds, and how much it varies by itself. */
export class RateMeter {
  readonly mean: Average;
  /** Over {@link LONGER} times as long: low rates need that to be known well. */
  readonly longMean: Average;
  #seen = false;
  #clump = 1;
  /** Time since the first frame. */
  observedMs = 0;
  /** A ring of slots; time before the first one counts as silence. */
  readonly #counts = new Float64Array(KEPT);
  readonly #seconds = new Float64Array(KEPT);
  #slots = 0;
  #open = { count: 0, seconds: 0 };
  /** By window: ½d², d the difference of two neighbouring windows' rates. */
  readonly #variation = new Map(WINDOWS.map(window => [window, new Average(VARIATION_S)]));

  constructor(averageMs: number) {
    this.mean = new Average(averageMs / 1000);
    this.longMean = new Average((LONGER * averageMs) / 1000);
  }

  /** `clump`: so many come at once on average, as objects of one frame do. */
  add({ rateHz, intervalMs, clump }: { rateHz: number; intervalMs: number; clump: number }): void {
    // Time before the first frame says nothing about the rate: the streams may not have started.
    if (!this.#seen && rateHz === 0) return;
    this.#seen = true;
    this.#clump = Math.max(1, clump);
    const seconds = intervalMs / 1000;
    this.mean.add(rateHz, seconds);
    this.longMean.add(rateHz, seconds);
    this.observedMs += intervalMs;
    this.#open.count += rateHz * seconds;
    this.#open.seconds += seconds;
    if (this.#open.seconds >= SLOT_S_MIN) this.#close();
  }

  /** Mean of `window` slots, the latest `skipped` left out. */
  recentHz(window: number, skipped = 0): number {
    let [count, seconds] = [0, 0];
    for (let i = 1 + skipped; i <= window + skipped; i++) {
      const at = (this.#slots - i + KEPT) % KEPT;
      count += this.#counts[at]!;
      seconds += this.#seconds[at]!;
    }
    return seconds > 0 ? count / seconds : 0;
  }

  /**
   * Variance of {@link recentHz} of a stream that goes on as it did, Hz². Measured at that length, since fan-outs and bursts vary more than a Poisson
   * stream; from times before the latest window, since a surge inside it must not hide itself.
   */
  varianceHz2(window: Window): number {
    const meanHz = Average.sum([this.mean]);
    const poisson = (this.#clump * meanHz) / window;
    const measured = WINDOWS.filter(shorter => shorter <= window).map(shorter => {
      const one = this.#variation.get(shorter)!.valueOr((PRIOR_DISPERSION * meanHz) / shorter, PRIOR_WEIGHT);
      // There are more of the shorter ones, so they are known better; what they say of longer ones holds at least.
      return (one * shorter) / window;
    });
    return Math.max(poisson, ...measured);
  }

  #close(): void {
    const { count, seconds } = this.#open;
    if (this.#slots === 0) this.#seconds.fill(seconds);
    const at = this.#slots % KEPT;
    this.#counts[at] = count;
    this.#seconds[at] = seconds;
    this.#slots++;
    this.#open = { count: 0, seconds: 0 };
    for (const window of WINDOWS) {
      if (this.#slots < 3 * window) break;
      const difference = this.recentHz(window, window) - this.recentHz(window, 2 * window);
      this.#variation.get(window)!.add(0.5 * difference ** 2, seconds);
    }
  }
}
