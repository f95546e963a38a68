import { fieldsOf, type Field, type Truth } from '../../actors/stream-sampler/index.ts';
import type { Box, Result } from '../../contracts/index.ts';

/** Characters of the ground truth, and how many of them were read right. */
export interface Score {
  readonly characters: number;
  readonly right: number;
}

interface Reading {
  readonly text: string;
  readonly box: Box;
}

/**
 * Compares the texts that a result read, in whatever stages, with what the frame showed. For each field the readings whose box's
 * middle lies inside it count, from left to right; wrong characters are the edit distance, at most the field's length. Spaces don't count.
 */
export function judge(truth: Truth, result: Result): Score {
  const read = Object.values(result.stages).flat();
  const readings = read.flatMap(({ from, parent, item, output }) => {
    const origin = result.stages[from ?? '']?.[parent ?? -1]?.output;
    const box = origin?.kind === 'boxes' ? origin.boxes[item ?? -1] : undefined;
    return box && output.kind === 'text' ? [{ text: output.text, box }] : [];
  });
  let characters = 0;
  let wrong = 0;
  for (const field of fieldsOf(truth)) {
    characters += field.text.length;
    wrong += Math.min(field.text.length, editDistance(field.text, readOf(field, readings)));
  }
  return { characters, right: characters - wrong };
}

const readOf = ({ box }: Field, readings: readonly Reading[]): string =>
  readings
    .filter(reading => {
      const x = reading.box.x + reading.box.width / 2;
      const y = reading.box.y + reading.box.height / 2;
      return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
    })
    .sort((a, b) => a.box.x - b.box.x)
    .map(({ text }) => text)
    .join('')
    .replaceAll(/\s/g, '');

/** Levenshtein: the fewest insertions, deletions and replacements that turn one text into the other. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
