import { seededRandom, intBetween } from '../../contracts/index.ts';

/** Indices of examples: fitted on, and held out. */
export interface Split {
  readonly fit: readonly number[];
  readonly held: readonly number[];
}

/**
 * Draws the same share of every class, at least one and never all: a class of one example is only fitted on.
 * @param share of each class to hold out, 0..1
 */
export function stratifiedSplit(labels: readonly number[], share: number, seed: number): Split {
  const random = seededRandom(seed);
  const held: number[] = [];
  for (const label of [...new Set(labels)].sort((a, b) => a - b)) {
    const members = [...labels.keys()].filter(index => labels[index] === label);
    for (let i = members.length - 1; i > 0; i--) {
      const j = intBetween(random, 0, i);
      [members[i], members[j]] = [members[j]!, members[i]!];
    }
    const count = Math.min(members.length - 1, Math.max(1, Math.round(members.length * share)));
    held.push(...members.slice(0, count));
  }
  const isHeld = new Set(held);
  return { fit: [...labels.keys()].filter(index => !isHeld.has(index)), held: held.sort((a, b) => a - b) };
}

/** How often examples of `truth` were told to be `told`; both are class indices and differ. */
interface Mistake {
  readonly truth: number;
  readonly told: number;
  readonly count: number;
}

export interface Evaluation {
  readonly examples: number;
  readonly right: number;
  readonly accuracy: number;
  /** 95 %, Wilson's score interval (JASA 1927): of use for few examples too. */
  readonly interval: readonly [number, number];
  /** What one scores who always tells the class that is most frequent. */
  readonly chance: number;
  /** The pairs most often mistaken, worst first. */
  readonly mistakes: readonly Mistake[];
}

/** @param truth, told class of each example */
export function evaluate(truth: readonly number[], told: readonly number[]): Evaluation {
  const examples = truth.length;
  const right = truth.filter((label, i) => told[i] === label).length;
  const counts = new Map<number, number>();
  const mistaken = new Map<string, Mistake>();
  truth.forEach((label, i) => {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    const other = told[i]!;
    if (other === label) return;
    const key = `${label} ${other}`;
    mistaken.set(key, { truth: label, told: other, count: (mistaken.get(key)?.count ?? 0) + 1 });
  });
  return {
    examples,
    right,
    accuracy: right / examples,
    interval: wilson(right, examples),
    chance: Math.max(...counts.values()) / examples,
    mistakes: [...mistaken.values()].sort((a, b) => b.count - a.count || a.truth - b.truth || a.told - b.told),
  };
}

const Z = 1.959964;

function wilson(right: number, examples: number): [number, number] {
  const p = right / examples;
  const square = (Z * Z) / examples;
  const middle = (p + square / 2) / (1 + square);
  const half = (Z / (1 + square)) * Math.sqrt((p * (1 - p)) / examples + square / (4 * examples));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
