import type { Output } from '../../contracts/index.ts';

/**
 * Greedy decoding of connectionist temporal classification (Graves et al., ICML'06): the best class of each step, repeats
 * merged, blanks and the spaces at both ends left out. `score` is the mean probability of the characters kept, 0 for an empty text.
 * @param values [T, classes] probabilities
 * @param alphabet character of each class; `blank` has none
 */
export function ctc(
  values: Float32Array,
  dims: readonly number[],
  { alphabet, blank = 0 }: { alphabet: readonly string[]; blank?: number },
): Output {
  const classCount = dims.at(-1) ?? 0;
  if (classCount !== alphabet.length)
    throw new Error(`gives ${classCount} classes, keys, blank and space make ${alphabet.length}`);
  const characters: string[] = [];
  const probabilities: number[] = [];
  let before = blank;
  for (let at = 0; at < values.length; at += classCount) {
    let best = 0;
    for (let i = 1; i < classCount; i++) if (values[at + i]! > values[at + best]!) best = i;
    if (best !== blank && best !== before) {
      characters.push(alphabet[best]!);
      probabilities.push(values[at + best]!);
    }
    before = best;
  }
  // Models see spaces in the padding: those at the ends say nothing.
  const isText = (character: string): boolean => character.trim() !== '';
  const first = characters.findIndex(isText);
  const end = characters.findLastIndex(isText) + 1;
  if (first < 0) return { kind: 'text', text: '', score: 0 };
  const kept = probabilities.slice(first, end);
  const score = kept.reduce((sum, probability) => sum + probability, 0) / kept.length;
  return { kind: 'text', text: characters.slice(first, end).join(''), score };
}

/** Characters of a keys file (one a line, a space counts) with the blank put in and, if wanted, a space behind. */
export function alphabetOf(keys: string, { blank = 0, space = true }: { blank?: number; space?: boolean }): string[] {
  const characters = linesOf(keys);
  if (space) characters.push(' ');
  characters.splice(blank, 0, '');
  return characters;
}

/** Lines of a file; a line break at its very end begins no further line. */
export function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
