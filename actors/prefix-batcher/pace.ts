const GAIN = 0.25;
/** So many runs, before a host is judged by them. */
const RUNS_MIN = 8;
/** So much slower than it should be, persistently, a host is relieved; or that much slower twice in a row. */
const SLOW = 3;
const VERY_SLOW = 8;
/** Added to both times: a run of a millisecond that takes ten met a busy processor, not a sick device. */
const BLUR_MS = 2;
/** Three wrong runs in a row; and so many times as often as on others, or the model is to blame, or its inputs. */
const WRONG_SHARE_MAX = 0.5;
const WRONG_TIMES = 3;
/** It is taken back after three probes in a row below this: between the two it stays what it is. */
const WELL = 2;
const PROBES_WELL = 3;
export const PROBE_MS = 1000;
/** A probe that can't be in time at the host's pace waits for one that can, at most so much longer. */
export const PROBE_MS_MAX = 10_000;

/**
 * How long a host's runs take against their profiles, over all its models (a geometric mean, so that one long run counts little), and
 * how often they are wrong. What all hosts of a pool share (a profile that is wrong, a busy machine) is no fault of one: each is held
 * against the median of the others.
 */
export class Pace {
  /** Found too slow or wrong, and not well again since. */
  ails = false;
  probeAtMs = -Infinity;
  #logRatio = 0;
  #wrongShare = 0;
  #latest = 1;
  #before = 1;
  #runs = 0;
  #well = 0;

  /** Measured by expected device time, recent mean. */
  get ratio(): number {
    return Math.exp(this.#logRatio);
  }

  /** Of runs with outputs that can't be right, recent mean. */
  get wrongShare(): number {
    return this.#wrongShare;
  }

  get isKnown(): boolean {
    return this.#runs >= RUNS_MIN;
  }

  observe(meanMs: number, runMs: number, wrong = false): void {
    if (!(meanMs > 0) || !(runMs > 0)) return;
    this.#before = this.#latest;
    this.#latest = (runMs + BLUR_MS) / (meanMs + BLUR_MS);
    this.#runs++;
    this.#logRatio += GAIN * (Math.log(this.#latest) - this.#logRatio);
    this.#wrongShare += GAIN * ((wrong ? 1 : 0) - this.#wrongShare);
    this.#well = this.#latest < WELL && !wrong ? this.#well + 1 : 0;
  }

  /** @param usual of the other hosts; a ratio of at least 1 */
  judge(usual: { readonly ratio: number; readonly wrongShare: number }): void {
    if (this.ails) {
      if (this.#well < PROBES_WELL) return;
      this.ails = false;
      this.#wrongShare = 0;
      this.#logRatio = Math.log(this.#latest);
      this.#runs = 0;
      return;
    }
    const persistently = this.isKnown && this.ratio > SLOW * usual.ratio;
    const extremely = Math.min(this.#latest, this.#before) > VERY_SLOW * usual.ratio;
    const wrong = this.#wrongShare > WRONG_SHARE_MAX && this.#wrongShare > WRONG_TIMES * usual.wrongShare;
    if (!persistently && !extremely && !wrong) return;
    this.ails = true;
    this.#well = 0;
  }
}

/** Holds each against the median of the others, of those that are known and don't ail. */
export function judgeAll(paces: readonly Pace[]): void {
  const usual = (): readonly Pace[] => paces.filter(pace => !pace.ails && pace.isKnown);
  let others = usual();
  let ratios = sorted(others, pace => pace.ratio);
  let wrongShares = sorted(others, pace => pace.wrongShare);
  for (const pace of paces) {
    const counts = !pace.ails && pace.isKnown;
    const ailed = pace.ails;
    pace.judge({
      ratio: Math.max(1, medianWithout(ratios, counts ? pace.ratio : undefined)),
      wrongShare: medianWithout(wrongShares, counts ? pace.wrongShare : undefined),
    });
    if (pace.ails === ailed) continue;
    others = usual();
    ratios = sorted(others, other => other.ratio);
    wrongShares = sorted(others, other => other.wrongShare);
  }
}

function sorted(paces: readonly Pace[], of: (pace: Pace) => number): Float64Array {
  const values = new Float64Array(paces.length);
  for (let i = 0; i < values.length; i++) values[i] = of(paces[i]!);
  return values.sort();
}

/** The median of growing values, one of them left out; 0 of none. */
export function medianWithout(values: Float64Array, left: number | undefined): number {
  if (left === undefined) return values[values.length >> 1] ?? 0;
  const middle = (values.length - 1) >> 1;
  // What was left out stood before the middle, or where it is: then all behind it have moved up.
  return (left <= values[middle]! ? values[middle + 1] : values[middle]) ?? 0;
}
