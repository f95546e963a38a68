import { randomInt } from 'node:crypto';

/** One number for all files, so that whatever fails can be tried again. */
const drawn = process.env.PROPERTY_SEED === 'random' ? { PROPERTY_SEED: String(randomInt(2, 2 ** 31)) } : {};
if (drawn.PROPERTY_SEED) process.stderr.write(`PROPERTY_SEED=${drawn.PROPERTY_SEED}\n`);

export default {
  files: ['dist/test/**/*.test.js'],
  require: ['./dist/test/helpers/properties.js'],
  environmentVariables: drawn,
  workerThreads: false, // native addons
  concurrency: 2,
  timeout: '60s',
};
