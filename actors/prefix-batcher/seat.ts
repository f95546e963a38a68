import type { Host } from './host.ts';
import type { Curve, Fit, Lead, SeatView } from './policy/index.ts';

/** What was learned of one model on one host; outlives plans. */
export interface Lessons {
  readonly fit: Fit;
  readonly lead: Lead;
}

export interface SeatSettings {
  readonly host: Host;
  readonly model: string;
  readonly curve: Curve;
  readonly lessons: Lessons;
  /** Least margin, ms; an emulated device without deviation needs none. */
  readonly marginMsMin: number;
  /** Usual size of a payload of the group now. */
  readonly bytesPerItem: () => number;
  /** What invocations of the group usually have left when they arrive, ms. Default: no bound. */
  readonly budgetMs?: () => number;
}

/**
 * The lead takes at most this share of the budget: what was learned in a bad moment must not make everything look hopeless, for
 * where nothing is granted nothing better is learned.
 */
const LEAD_SHARE_MAX = 1 / 3;

/** A group's place on a host, as a plan has it. */
export class Seat implements SeatView {
  readonly host: Host;
  readonly model: string;
  readonly curve: Curve;
  readonly lessons: Lessons;
  readonly #marginMsMin: number;
  readonly #exact: boolean;
  readonly #bytesPerItem: () => number;
  readonly #budgetMs: () => number;
  #resident = false;

  constructor(settings: SeatSettings) {
    this.host = settings.host;
    this.model = settings.model;
    this.curve = settings.curve;
    this.lessons = settings.lessons;
    this.#marginMsMin = settings.marginMsMin;
    this.#exact = settings.curve.tailMs.every(tailMs => tailMs === 0);
    this.#bytesPerItem = settings.bytesPerItem;
    this.#budgetMs = settings.budgetMs ?? (() => Infinity);
    this.refresh();
  }

  get resident(): boolean {
    return this.#resident;
  }

  get batchMax(): number {
    return this.curve.batchMax;
  }

  latencyMs(batch: number): number {
    const marginMsMin = this.#exact && this.host.emulated ? 0 : this.#marginMsMin;
    return this.lessons.fit.latencyMs(this.curve, batch, marginMsMin);
  }

  expectedMs(batch: number): number {
    return this.lessons.fit.expectedMs(this.curve, batch);
  }

  leadMs(batch: number): number {
    const leadMs = this.lessons.lead.leadMs(batch, batch * this.#bytesPerItem());
    return Math.min(leadMs, LEAD_SHARE_MAX * this.#budgetMs());
  }

  /** The host's beat says anew what it holds. */
  refresh(): void {
    this.#resident = this.host.holds(this.model);
  }

  dismiss(): void {
    this.#resident = false;
  }
}
