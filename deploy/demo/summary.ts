import type { Tally } from './tally.ts';

/** What `npm run demo -- --json FILE` writes. */
export interface Summary {
  /** Frames published while the demo ran. */
  readonly frames: number;
  /** Frames answered, in time or late. */
  readonly answers: number;
  /** Share of the frames answered within the objective, 0..1. */
  readonly withinObjective: number;
  readonly late: number;
  readonly dropped: number;
  readonly failed: number;
  readonly rejected: number;
  /** Frames without a terminal outcome. */
  readonly lost: number;
  /** Plans put in force. */
  readonly epochs: number;
  /** Models loaded on a host or released from one by those plans. */
  readonly modelsMoved: number;
  /** Batches granted, and those among them that held crops for several models. */
  readonly batches: number;
  readonly mixedBatches: number;
  /** Inputs in a batch, and models that they were for, on average over all batches. */
  readonly meanBatch: number;
  readonly modelsPerBatch: number;
  /** What the readers on a host take less in memory because they share a prefix: the most seen at one time. */
  readonly memorySavedMB: number;
  /** Share of the characters on the scoreboard read right, 0..1. */
  readonly accuracy: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly objectiveMs: number;
  readonly seconds: number;
  /** Real models on the CPU here; true when devices were emulated. */
  readonly emulated: boolean;
  /** The last answered frame with what was read drawn on it. */
  readonly annotatedFrame: string | null;
}

export function summarise(
  tally: Tally,
  facts: Pick<
    Summary,
    | 'epochs'
    | 'modelsMoved'
    | 'batches'
    | 'mixedBatches'
    | 'meanBatch'
    | 'modelsPerBatch'
    | 'memorySavedMB'
    | 'objectiveMs'
    | 'seconds'
    | 'annotatedFrame'
  >,
): Summary {
  const { outcomes, frames, answers, latenciesMs, characters, charactersRight } = tally;
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (q: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0) * 10) / 10;
  const share = (part: number, whole: number): number =>
    whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 10_000;
  return {
    frames,
    answers,
    withinObjective: share(outcomes.ok, frames),
    late: outcomes.late,
    dropped: outcomes.dropped,
    failed: outcomes.failed,
    rejected: outcomes.rejected,
    lost: tally.open,
    accuracy: share(charactersRight, characters),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    emulated: tally.lastGood?.result.emulated ?? false,
    ...facts,
  };
}

/** What the shared trunk did, for people; undefined where no readers shared one. */
export function groupLine(summary: Summary): string | undefined {
  const { batches, mixedBatches, meanBatch, modelsPerBatch, memorySavedMB } = summary;
  if (memorySavedMB <= 0) return undefined;
  return (
    `The readers shared one trunk: ${memorySavedMB} MB saved on a host; ${mixedBatches} of ${batches} batches held crops for several ` +
    `of them (on average ${meanBatch} inputs for ${modelsPerBatch} models).`
  );
}

const ACCURACY_MIN = 0.95;

/** Why the demo failed, or nothing. */
export function verdict(summary: Summary): string[] {
  const problems: string[] = [];
  if (summary.answers === 0) problems.push('nothing was answered');
  if (summary.lost > 0) problems.push(`${summary.lost} frames were lost: they have no terminal outcome`);
  if (summary.accuracy < ACCURACY_MIN) {
    problems.push(
      `only ${(summary.accuracy * 100).toFixed(1)} % of the characters were read right (at least ${ACCURACY_MIN * 100} % expected)`,
    );
  }
  return problems;
}
