/** Of the mean and of the mean deviation: those of TCP's retransmission timer (RFC 6298). */
const GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;
/** Kept beside the usual time: four, as RFC 6298 has it, let 3 % fewer frames through where delays vary (docs/scheduling.md). */
const DEVIATIONS = 2;
/** Clocks and sums of fractions are no more exact. */
const ROUNDING_MS = 0.1;
/** More is a fault to notice, not a delay to plan with. */
const DELAY_MS_MAX = 50;

/** Mean and mean deviation of a delay, ms; undefined before anything was seen. */
class Delay {
  meanMs: number | undefined;
  deviationMs = 0;
  #isFresh = false;

  observe(ms: number): void {
    this.#isFresh = true;
    const mean = this.meanMs;
    if (mean === undefined) {
      this.meanMs = Math.min(ms, DELAY_MS_MAX);
      this.deviationMs = this.meanMs / 2;
      return;
    }
    // One message that was held up says little about the next.
    const seenMs = Math.min(ms, DELAY_MS_MAX, 2 * (mean + this.deviationMs) + 1);
    this.deviationMs += DEVIATION_GAIN * (Math.abs(seenMs - mean) - this.deviationMs);
    this.meanMs = mean + GAIN * (seenMs - mean);
  }

  /** Called once a second: what nothing confirms is forgotten, or a bad moment could make everything look hopeless for ever. */
  relax(): void {
    if (!this.#isFresh) {
      this.deviationMs /= 2;
      if (this.meanMs !== undefined) this.meanMs /= 2;
    }
    this.#isFresh = false;
  }
}

/** What ways take before anything was seen. */
export interface WaysGuess {
  readonly returnMs: number;
  readonly leadTransitMs: number;
}

/**
 * How long messages and timers take, learned. The round trip between batcher and host stands for the ways that a batcher can't see,
 * of an offer from its router and of the answer back.
 */
export class Ways {
  readonly #roundTrip = new Delay();
  readonly #timer = new Delay();
  #returnMs: number;
  #transitMs: number;

  constructor(guess: WaysGuess) {
    this.#returnMs = guess.returnMs;
    this.#transitMs = guess.leadTransitMs;
  }

  /** Kept free of each invocation's time for the ways of its offer and its answer. */
  get returnMs(): number {
    return this.#returnMs;
  }

  /** From when a grant is due until its outline is on the host. */
  get transitMs(): number {
    return this.#transitMs;
  }

  /** What a message from a host usually takes. */
  get oneWayMs(): number {
    return (this.#roundTrip.meanMs ?? 0) / 2;
  }

  /** From an outline to a sign that it came, less the time that the host had it. */
  observeRoundTrip(ms: number): void {
    if (!(ms >= 0)) return;
    this.#roundTrip.observe(ms);
    this.#learn();
  }

  /** How much later than asked for a timer went off. */
  observeTimer(lateMs: number): void {
    if (!(lateMs >= 0)) return;
    this.#timer.observe(lateMs);
    this.#learn();
  }

  relax(): void {
    this.#roundTrip.relax();
    this.#timer.relax();
    this.#learn();
  }

  /** What follows from what was seen: asked for far more often than something is seen. */
  #learn(): void {
    const [way, timer] = [this.#roundTrip, this.#timer];
    if (way.meanMs === undefined) return;
    this.#returnMs = Math.min(DELAY_MS_MAX, way.meanMs + DEVIATIONS * way.deviationMs + ROUNDING_MS);
    if (timer.meanMs === undefined) return;
    this.#transitMs = (way.meanMs + way.deviationMs) / 2 + timer.meanMs + timer.deviationMs;
  }
}
