export default {
  files: ['dist/test/**/*.test.js'],
  workerThreads: false, // native addons
  concurrency: 2,
  timeout: '60s',
};
