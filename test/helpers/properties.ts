/**
 * Loaded before every test file (ava.config.mjs). Property tests run with one seed, so that a green run stays green; set
 * PROPERTY_SEED to another number, or to `random`, to search further (`npm run test:long` does).
 */
import fc from 'fast-check';

const wanted = process.env['PROPERTY_SEED'] ?? '1';
if (wanted !== 'random') {
  const seed = Number(wanted);
  if (!Number.isSafeInteger(seed))
    throw new RangeError(`PROPERTY_SEED must be a whole number or "random", got "${wanted}"`);
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
}
