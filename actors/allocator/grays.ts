import type { BatcherBeat } from '../../contracts/index.ts';

/** Batchers need so long to see by probes whether a host that was taken back is well. */
const TRIAL_MS = 15_000;
const AVOID_MS_MAX = 600_000;

interface Gray {
  /** Planned without it until then; afterwards it is on trial. */
  untilMs: number;
  /** How long it is avoided: twice as long each time that it fails its trial. */
  forMs: number;
}

/**
 * Hosts that are alive and too slow or wrong, as batchers report: planned around, then taken back on trial, during which batchers give them
 * probes only. One that fails its trial is avoided for twice as long.
 */
export class Grays {
  readonly #avoidMs: number;
  readonly #hosts = new Map<string, Gray>();

  constructor(avoidMs: number) {
    this.#avoidMs = avoidMs;
  }

  /** @returns hosts that are to be avoided from now on */
  hear({ ailing = [] }: Pick<BatcherBeat, 'ailing'>, nowMs: number): string[] {
    return ailing.flatMap(({ host }) => {
      const known = this.#hosts.get(host);
      if (known && nowMs < known.untilMs + TRIAL_MS) return [];
      const forMs = Math.min(AVOID_MS_MAX, known ? 2 * known.forMs : this.#avoidMs);
      this.#hosts.set(host, { untilMs: nowMs + forMs, forMs });
      return [host];
    });
  }

  /** Another process has its name, or none. */
  forget(host: string): void {
    this.#hosts.delete(host);
  }

  avoided(nowMs: number): string[] {
    return [...this.#hosts].filter(([, { untilMs }]) => nowMs < untilMs).map(([host]) => host);
  }

  /** Forgets those that stood their trial for as long as they were avoided. */
  tick(nowMs: number): void {
    for (const [host, { untilMs, forMs }] of this.#hosts)
      if (nowMs > untilMs + TRIAL_MS + forMs) this.#hosts.delete(host);
  }
}
