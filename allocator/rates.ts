import type { RouterBeat } from '../contracts/index.ts';
import type { StageKey } from './demand.ts';

export interface RateSettings {
  /** τ of the moving average, ms. Nexus: 10 s. */
  readonly averageMs: number;
  /** Observed for so long, a stage's measured rate replaces the declared one. */
  readonly enoughMs: number;
}

interface Estimate {
  /** Σ weight·rate and Σ weight: their quotient has no bias towards the first value. */
  sum: number;
  weight: number;
  observedMs: number;
  seen: boolean;
}

const keyOf = ({ tenant, query, stage }: StageKey): string => `${tenant}.${query}.${stage}`;

/** Rates of the stages as the routers measure them: a moving average per router, summed over routers. */
export class RateBook {
  readonly #settings: RateSettings;
  readonly #routers = new Map<string, Map<string, Estimate>>();

  constructor(settings: RateSettings) {
    this.#settings = settings;
  }

  hear(router: string, beat: RouterBeat): void {
    const stages = this.#routers.get(router) ?? new Map<string, Estimate>();
    this.#routers.set(router, stages);
    const intervalMs = Math.max(1, beat.intervalMs);
    const fresh = 1 - Math.exp(-intervalMs / this.#settings.averageMs);
    const told = new Map(beat.stages.map(stage => [keyOf(stage), stage]));
    for (const key of stages.keys()) if (!told.has(key)) stages.delete(key);
    for (const [key, stage] of told) {
      const old = stages.get(key) ?? { sum: 0, weight: 0, observedMs: 0, seen: false };
      const seen = old.seen || stage.count > 0 || stage.rateHz > 0;
      // Time before the first frame says nothing about the rate: the streams may not have started.
      stages.set(
        key,
        seen
          ? {
              sum: old.sum * (1 - fresh) + stage.rateHz * fresh,
              weight: old.weight * (1 - fresh) + fresh,
              observedMs: old.observedMs + intervalMs,
              seen,
            }
          : old,
      );
    }
  }

  forget(router: string): void {
    this.#routers.delete(router);
  }

  /** Invocations per second over all routers; undefined before there is enough data. */
  rateHz(key: StageKey): number | undefined {
    const all = [...this.#routers.values()].flatMap(stages => stages.get(keyOf(key)) ?? []);
    const observedMs = Math.max(0, ...all.map(e => e.observedMs));
    if (observedMs < this.#settings.enoughMs) return undefined;
    return all.reduce((sum, e) => sum + (e.weight > 0 ? e.sum / e.weight : 0), 0);
  }
}

/** Up sooner than down: beyond 110 % or below 70 % of what is planned. */
const ABOVE = 1.1;
const BELOW = 0.7;
/** Standard deviations of a Poisson stream's average that a change must exceed too, else low rates would flap. */
const SIGNIFICANT = 3;

/** Whether a measured rate asks for another plan than one made for `plannedHz`. */
export function outgrown(measuredHz: number, plannedHz: number, averageMs: number): boolean {
  // An exponential average over τ of a Poisson stream of rate r has variance r / 2τ.
  const deviationHz = Math.sqrt(Math.max(plannedHz, measuredHz) / ((2 * averageMs) / 1000));
  if (Math.abs(measuredHz - plannedHz) <= SIGNIFICANT * deviationHz) return false;
  return measuredHz > ABOVE * plannedHz || measuredHz < BELOW * plannedHz;
}
