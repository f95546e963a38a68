/** The only source of randomness in production code. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

/** Deterministic generator (mulberry32, public domain): the whole sequence follows from `seed` (its low 32 bits count). */
export function seededRandom(seed: number): Random {
  // Signed: an integer of 32 bits needs no memory of its own.
  let a = seed | 0;
  return {
    next: () => {
      a = (a + 0x6d2b79f5) | 0;
      let z = Math.imul(a ^ (a >>> 15), a | 1);
      z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
      return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

/** Uniform integer in [min, max], both inclusive. */
export const intBetween = (random: Random, min: number, max: number): number =>
  min + Math.floor(random.next() * (max - min + 1));

/** Standard normal deviate (Box–Muller). */
export const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());

/** Exponential deviate with the given mean (> 0): the gap between Poisson arrivals. */
export const exponential = (random: Random, mean: number): number => -mean * Math.log(1 - random.next());

const ID_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** `length` characters of Crockford's base 32 (5 bits each): ids, nonces. Valid as a subject token. */
export function randomId(random: Random, length = 10): string {
  let id = '';
  for (let i = 0; i < length; i++) id += ID_ALPHABET[Math.floor(random.next() * 32)];
  return id;
}
