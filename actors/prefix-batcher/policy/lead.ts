const GAIN_UP = 0.3;
const GAIN_DOWN = 0.05;
const RATIO_MIN = 0.02;
const RATIO_MAX = 50;

export interface LeadOptions {
  /** What the host can't see, as it is now: a timer's lateness and the way of the outline. Added, never corrected. */
  readonly ways: { readonly transitMs: number };
  /** Of any batch, first guess: two messages. */
  readonly fixedMs: number;
  /** Transport, first guess. */
  readonly bytesPerMs: number;
  /** Decoding of one input, first guess (the profile's `preMs` by the cores that decode). */
  readonly perItemMs: number;
  readonly maxMs: number;
}

/**
 * Time from a grant until the payloads are ready on the host. The first guess grows with bytes and inputs; a ratio learned from
 * the host's `fillMs` corrects it, quickly upwards and slowly downwards: a device that waits for payloads costs more than a batch
 * that is sealed a little early.
 */
export class Lead {
  #ratio = 1;
  #observations = 0;
  #observationsAtRelax = 0;
  readonly #options: LeadOptions;

  constructor(options: LeadOptions) {
    this.#options = options;
  }

  leadMs(batch: number, bytes: number): number {
    const { maxMs, ways } = this.#options;
    return Math.min(maxMs, ways.transitMs + this.#ratio * this.#guessMs(batch, bytes));
  }

  observe(batch: number, bytes: number, fillMs: number): void {
    const guessMs = this.#guessMs(batch, bytes);
    if (!(guessMs > 0)) return;
    const seen = Math.min(Math.max(fillMs / guessMs, RATIO_MIN), RATIO_MAX, 2 * this.#ratio);
    this.#ratio += (seen > this.#ratio ? GAIN_UP : GAIN_DOWN) * (seen - this.#ratio);
    this.#observations++;
  }

  /** Called once a second: forgets half of what it learned if nothing was seen since, so that a bad start can't last. */
  relax(): void {
    if (this.#observations === this.#observationsAtRelax) this.#ratio = (1 + this.#ratio) / 2;
    this.#observationsAtRelax = this.#observations;
  }

  #guessMs(batch: number, bytes: number): number {
    const { fixedMs, bytesPerMs, perItemMs } = this.#options;
    return fixedMs + bytes / bytesPerMs + perItemMs * batch;
  }
}
