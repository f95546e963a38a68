/**
 * Loaded before every test file (ava.config.mjs). Property tests run with one seed, so that a green run stays green; set
 * PROPERTY_SEED to another number, or to `random`, to search further (`npm run test:long` does, and says which number it took).
 * SIMULATION_SEEDS is how many seeds the simulator tries, SIMULATION_FROM the first of them. CHAOS_MINUTES is for how long real processes are killed and stopped at
 * random (0: not at all), CHAOS_FROM the first seed.
 */
import fc from 'fast-check';

const USUAL = 1;
const seed = wholeNumber('PROPERTY_SEED', USUAL);
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });

/** For properties that take seconds: so many runs, and in a search (`npm run test:long`) ten times as many. */
export const runs = (usual: number): { numRuns: number } => ({ numRuns: seed === USUAL ? usual : 10 * usual });

/** Which seeds test/simulation/adversary runs. */
export const simulationSeeds = {
  from: wholeNumber('SIMULATION_FROM', 1),
  count: wholeNumber('SIMULATION_SEEDS', 100),
};

/** How long test/chaos/long.test.ts takes, and with which seeds. */
export const processChaos = { from: wholeNumber('CHAOS_FROM', 1), minutes: wholeNumber('CHAOS_MINUTES', 0) };

function wholeNumber(name: string, otherwise: number): number {
  const value = Number(process.env[name] ?? otherwise);
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${name} must be a whole number`);
  return value;
}
