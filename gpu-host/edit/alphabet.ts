import { ConfigError } from '../../contracts/index.ts';

/** How the classes of a text recogniser are laid out: `characters[i]` is class i, the blank has none. */
export interface ClassTable {
  readonly characters: readonly string[];
  readonly blank: number;
}

/** The classes that stay when a recogniser is restricted, and its table and keys file afterwards. */
export interface Restriction {
  /** Ascending; the blank is among them. */
  readonly kept: readonly number[];
  readonly blank: number;
  /** The keys file's text: all kept characters but the blank and, where `space`, the space at the end. */
  readonly keys: string;
  readonly space: boolean;
  /** Without the blank, sorted. */
  readonly characters: string;
}

/**
 * Restricts a table to an alphabet. Classes keep their order, so that columns are cut and never moved.
 * @param space whether the table's last character is a space that the keys file doesn't list
 * @throws ConfigError when nothing is asked for, or a character has no class
 */
export function restrict({ characters, blank }: ClassTable, wanted: string, space: boolean): Restriction {
  const alphabet = new Set(wanted);
  if (alphabet.size === 0) throw new ConfigError('no character is asked for');
  const known = new Set(characters.filter((_, index) => index !== blank));
  const unknown = [...alphabet].filter(character => !known.has(character));
  if (unknown.length > 0)
    throw new ConfigError(`the model has no class for ${unknown.map(nameOf).join(', ')}`, {
      remedy: "leave them out: what a model was not trained on it can't read",
    });
  const kept = [...characters.keys()].filter(index => index === blank || alphabet.has(characters[index]!));
  const texts = kept.filter(index => index !== blank).map(index => characters[index]!);
  const keepsSpace = space && texts.at(-1) === ' ';
  const lines = keepsSpace ? texts.slice(0, -1) : texts;
  return {
    kept,
    blank: kept.indexOf(blank),
    keys: lines.map(line => `${line}\n`).join(''),
    space: keepsSpace,
    characters: [...new Set(texts)].sort().join(''),
  };
}

/** `"é" (U+00E9)` */
const nameOf = (character: string): string =>
  `${JSON.stringify(character)} (U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')})`;
