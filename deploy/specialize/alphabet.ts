const DIGITS = '0123456789';
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = UPPER.toLowerCase();

/** What `--alphabet` understands. */
export const ALPHABETS = {
  digits: DIGITS,
  clock: `${DIGITS}:.`,
  decimal: `${DIGITS}.,+-`,
  upper: UPPER,
  lower: LOWER,
  letters: UPPER + LOWER,
  alphanumeric: DIGITS + UPPER + LOWER,
  names: `${UPPER} `,
} as const satisfies Record<string, string>;
export type AlphabetName = keyof typeof ALPHABETS;
