import type { RouterBeat } from '../contracts/index.ts';
import type { StageKey } from './demand.ts';
import { Average, LONGER, RateMeter, WINDOWS } from './rate-meter.ts';

export interface RateSettings {
  /** τ of the moving average, ms. Nexus: 10 s. */
  readonly averageMs: number;
  /** Observed for so long, a stage's measured rate replaces the declared one. */
  readonly enoughMs: number;
}

/** Up sooner than down: beyond 110 % or below 70 % of what is planned. */
const ABOVE = 1.1;
const BELOW = 0.7;
/** Standard deviations that a change must exceed too: noise alone must not reach that in days. */
const SIGNIFICANT = 5;
/** Of the requests of a query that end, averaged as rates are: beyond it the plan in force is too small for something. */
const SHORT_SHARE = 0.01;
/** A router that was not heard for so long may be gone, and its streams with another one already. */
const STALE_MS = 1600;

interface Heard {
  atMs: number;
  readonly stages: Map<string, RateMeter>;
  /** By query: requests that ended and those that ended dropped or late, since start; and both by beat, averaged, and whether it was too many in the latest. */
  readonly queries: Map<string, { ended: number; bad: number; meanEnded: number; meanBad: number; isShort: boolean }>;
}

const queryKey = ({ tenant, query }: Omit<StageKey, 'stage'>): string => `${tenant}.${query}`;
const keyOf = (key: StageKey): string => `${queryKey(key)}.${key.stage}`;
const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0);

/**
 * How many standard deviations a mean over `seconds` is from what was planned. Few and large clumps reach far above their mean more often than a
 * normal distribution does: Bernstein's inequality, P(X − μ > t) ≤ exp(−t² / 2(σ² + ct/3)), for clumps of c.
 */
function deviations(of: { plannedHz: number; meanHz: number; variance: number; seconds: number }): number {
  const { plannedHz, meanHz, variance, seconds } = of;
  const clump = Math.max(1, (variance * seconds) / Math.max(plannedHz, meanHz));
  const excessHz = Math.max(0, meanHz - plannedHz);
  return Math.abs(meanHz - plannedHz) / Math.sqrt(variance + (clump * excessHz) / (3 * seconds));
}

/** The rate over one of {@link WINDOWS}, and what it is at least, as far as chance goes. */
interface Recent {
  readonly meanHz: number;
  readonly leastHz: number;
  /** Above what was planned. */
  readonly deviations: number;
}

function recently(meters: readonly RateMeter[], plannedHz: number): Recent[] {
  return WINDOWS.map(seconds => {
    const meanHz = sumOf(meters.map(meter => meter.recentHz(seconds)));
    const variance = Math.max(plannedHz / seconds, sumOf(meters.map(meter => meter.varianceHz2(seconds))));
    const leastHz = meanHz - 2 * Math.sqrt(variance * Math.max(1, meanHz / plannedHz));
    return {
      meanHz,
      leastHz,
      deviations: meanHz > plannedHz ? deviations({ plannedHz, meanHz, variance, seconds }) : 0,
    };
  });
}

/** Whether there was a rise in one of the latest seconds: as a test of likelihood ratios for a change does, it looks at all windows that end now. */
function surges(slots: readonly number[], recent: readonly Recent[], plannedHz: number): boolean {
  return slots.every(hz => hz > ABOVE * plannedHz) && recent.some(window => window.deviations > SIGNIFICANT);
}

/** An average over τ = `seconds` that is significantly beyond what is planned. */
function beyond(
  meters: readonly RateMeter[],
  recent: readonly Recent[],
  of: { plannedHz: number; meanHz: number; seconds: number },
): number | undefined {
  const { plannedHz, seconds } = of;
  // What rose a short time ago isn't falling because its average has yet to rise.
  const recentHz = Math.min(plannedHz, Math.max(...recent.map(window => window.meanHz)));
  // Nor does what fell rise because a long average has yet to fall.
  const meanHz = Math.max(recentHz, Math.min(of.meanHz, Math.max(plannedHz, recent.at(-1)!.meanHz)));
  // An exponential average over τ of what varies by σ² in each second varies by σ²/2τ, as a mean of 2τ does; by more while it is young.
  const observedS = Math.max(...meters.map(meter => meter.observedMs)) / 1000;
  const span = 2 * seconds * Math.tanh(observedS / (2 * seconds));
  const longest = WINDOWS.at(-1)!;
  const perS = Math.max(plannedHz, meanHz, longest * sumOf(meters.map(meter => meter.varianceHz2(longest))));
  if (deviations({ plannedHz, meanHz, variance: perS / span, seconds: span }) <= SIGNIFICANT) return undefined;
  return meanHz > ABOVE * plannedHz || meanHz < BELOW * plannedHz ? meanHz : undefined;
}

/** Rates of the stages as the routers measure them, summed over routers, and which of them ask for another plan. */
export class RateBook {
  readonly #settings: RateSettings;
  readonly #routers = new Map<string, Heard>();

  constructor(settings: RateSettings) {
    this.#settings = settings;
  }

  hear(router: string, beat: RouterBeat, atMs: number): void {
    const heard = this.#routers.get(router) ?? { atMs, stages: new Map(), queries: new Map() };
    this.#routers.set(router, heard);
    heard.atMs = atMs;
    const { stages, queries } = heard;
    const told = new Map(beat.stages.map(stage => [keyOf(stage), stage]));
    for (const key of stages.keys()) if (!told.has(key)) stages.delete(key);
    for (const [key, { rateHz, fanout }] of told) {
      const meter = stages.get(key) ?? new RateMeter(this.#settings.averageMs);
      stages.set(key, meter);
      meter.add({ rateHz, intervalMs: Math.max(1, beat.intervalMs), clump: fanout });
    }
    const before = new Map(queries);
    queries.clear();
    const fresh = 1 - Math.exp(-beat.intervalMs / this.#settings.averageMs);
    for (const counts of beat.queries) {
      const bad = counts.dropped + counts.late;
      const ended = bad + counts.ok + counts.failed;
      const known = before.get(queryKey(counts)) ?? { ended, bad, meanEnded: 0, meanBad: 0 };
      const latest = { ended: ended - known.ended, bad: bad - known.bad };
      queries.set(queryKey(counts), {
        ended,
        bad,
        meanEnded: known.meanEnded + fresh * (latest.ended - known.meanEnded),
        meanBad: known.meanBad + fresh * (latest.bad - known.meanBad),
        isShort: latest.bad > SHORT_SHARE * latest.ended,
      });
    }
  }

  forget(router: string): void {
    this.#routers.delete(router);
  }

  /** Invocations per second over all routers, averaged; undefined before there is enough data. */
  rateHz(key: StageKey): number | undefined {
    const meters = this.#metersOf(key);
    const observedMs = Math.max(0, ...meters.map(meter => meter.observedMs));
    return observedMs < this.#settings.enoughMs ? undefined : Average.sum(meters.map(({ mean }) => mean));
  }

  /**
   * The rate that asks for another plan than one made for `plannedHz`; undefined: none does. Sudden rises are seen within two or three beats, all else
   * by averages. Where requests of the query are dropped, all room that was planned beside it must still be there.
   */
  outgrown(key: StageKey, plannedHz: number, nowMs: number): number | undefined {
    const averageHz = this.rateHz(key);
    if (averageHz === undefined) return undefined;
    const meters = this.#metersOf(key);
    const longHz = Average.sum(meters.map(({ longMean }) => longMean));
    const slots = [0, 1].map(skipped => sumOf(meters.map(meter => meter.recentHz(1, skipped))));
    // Most rates are about as planned, and need no closer look.
    const isAsPlanned = [averageHz, longHz, Math.min(...slots)].every(hz => hz <= ABOVE * plannedHz);
    if (
      isAsPlanned &&
      Math.min(averageHz, longHz) >= BELOW * plannedHz &&
      !(averageHz > plannedHz && this.#isShort(key))
    )
      return undefined;
    const recent = recently(meters, plannedHz);
    const { averageMs } = this.#settings;
    const mean = { plannedHz, meanHz: averageHz, seconds: averageMs / 1000 };
    const longMean = { plannedHz, meanHz: longHz, seconds: LONGER * mean.seconds };
    const outgrownHz = beyond(meters, recent, mean) ?? beyond(meters, recent, longMean);
    if (outgrownHz !== undefined && outgrownHz < plannedHz) return outgrownHz;
    const rises = outgrownHz !== undefined || (averageHz > plannedHz && this.#isShort(key));
    // It may rise still: then its average lags behind.
    const level = recent.reduce((best, window) => (window.leastHz > best.leastHz ? window : best));
    const rose = level.leastHz > averageHz;
    // How far it is going to rise tells the first slot that lies in it as a whole.
    if (rose && slots[1]! <= ABOVE * plannedHz) return undefined;
    if (rises) return rose ? level.meanHz : Math.max(averageHz, outgrownHz ?? 0);
    if ([...this.#routers.values()].some(({ atMs }) => nowMs - atMs > STALE_MS)) return undefined;
    return surges(slots, recent, plannedHz) && level.meanHz > ABOVE * plannedHz ? level.meanHz : undefined;
  }

  /** Of late, and still. */
  #isShort(key: StageKey): boolean {
    const counts = [...this.#routers.values()].flatMap(({ queries }) => queries.get(queryKey(key)) ?? []);
    if (!counts.some(({ isShort }) => isShort)) return false;
    return sumOf(counts.map(({ meanBad }) => meanBad)) > SHORT_SHARE * sumOf(counts.map(({ meanEnded }) => meanEnded));
  }

  #metersOf(key: StageKey): RateMeter[] {
    const name = keyOf(key);
    return [...this.#routers.values()].flatMap(({ stages }) => stages.get(name) ?? []);
  }
}
