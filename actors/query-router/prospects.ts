/** Looked at so often, and not before requests that were let in under other terms have ended. */
const MEASURE_MS = 250;
/** Later stages are short when more than this share of the requests that passed a stage was dropped after it. */
const WASTED_SHARE = 0.2;
/** Fewer endings say nothing. */
const ENDINGS_MIN = 10;
/** While they aren't short, what is let in grows by the first, of itself, and the second, of what is asked for. */
const GROWTH = 0.1;
const GROWTH_LEAST = 0.03;
/** At most so much less at a time: a bad moment is no measure. */
const CUT_MAX = 0.5;
const SHARE_MIN = 0.02;
const ANSWER_GAIN = 0.05;

/**
 * How requests of one query fare that got past their first stage, and so, how many may begin. What is learned stands for queues and
 * batches of all later stages, whoever else uses them: while they drop what earlier ones have worked for, less is let in, and nothing that
 * has less time than answers take now. (After PARD: drop before work is done, with the later stages in view.)
 */
export class Prospects {
  /** So much of what is asked for is let in. */
  share = 1;
  #good = 0;
  /** Dropped after at least one stage had answered: what that stage did was for nothing. */
  #wasted = 0;
  #answerMs = 0;
  #credit = 0;
  /** Since when endings count. */
  #sinceMs = -Infinity;

  /** Whether a request may begin that has `leftMs` of its objective. */
  admits(leftMs: number, objectiveMs: number, nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= Math.max(MEASURE_MS, objectiveMs)) this.#measure(objectiveMs, nowMs);
    if (this.share >= 1) return true;
    if (leftMs < this.#answerMs) return false;
    this.#credit = Math.min(this.#credit + this.share, 2);
    if (this.#credit < 1) return false;
    this.#credit--;
    return true;
  }

  /** It was answered, `tookMs` after its acceptance. */
  good(tookMs: number, nowMs: number): void {
    this.#answerMs += (this.#answerMs === 0 ? 1 : ANSWER_GAIN) * (tookMs - this.#answerMs);
    if (nowMs >= this.#sinceMs) this.#good++;
  }

  wasted(nowMs: number): void {
    if (nowMs >= this.#sinceMs) this.#wasted++;
  }

  #measure(objectiveMs: number, nowMs: number): void {
    const ended = this.#good + this.#wasted;
    const wastedShare = ended >= ENDINGS_MIN ? this.#wasted / ended : 0;
    const isShort = wastedShare > WASTED_SHARE;
    const share = isShort
      ? this.share * Math.max(1 - wastedShare, CUT_MAX)
      : this.share + Math.max(GROWTH * this.share, GROWTH_LEAST);
    this.share = Math.min(1, Math.max(SHARE_MIN, share));
    this.#good = 0;
    this.#wasted = 0;
    this.#sinceMs = isShort ? nowMs + objectiveMs : nowMs;
  }
}
