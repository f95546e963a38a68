export default {
  files: ['dist/test/**/*.test.js'],
  require: ['./dist/test/helpers/properties.js'],
  workerThreads: false, // native addons
  concurrency: 2,
  timeout: '60s',
};
