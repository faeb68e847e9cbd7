/** Left out unless PGSCORE_TEST_NIGHT=1; CONTRIBUTING.md says what is for the night. */
const NIGHT = process.env.PGSCORE_TEST_NIGHT === '1' ? [] : ['\\.night\\.'];
const project = {
  testEnvironment: '<rootDir>/test/support/environment.js',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' } },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/test/matrix/'],
};

/** A project's server is started only when one of its tests is to run, so that unit tests never wait for one. */
export default {
  // Many tests wait for leases and time limits rather than for a processor.
  maxWorkers: 4,
  testSequencer: '<rootDir>/test/support/longest-first.js',
  // Jest takes no testTimeout from a project.
  testTimeout: 120_000,
  reporters: [
    'default',
    '<rootDir>/test/support/closing-line-reporter.js',
    '<rootDir>/test/support/durations-reporter.js',
  ],
  projects: [
    {
      ...project,
      displayName: 'unit',
      testMatch: ['<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.(pg|e2e|page)\\.test\\.ts$', ...NIGHT],
    },
    {
      ...project,
      displayName: 'database',
      testMatch: ['<rootDir>/test/**/*.{pg,e2e,page}.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', ...NIGHT],
      globalSetup: '<rootDir>/test/support/global-setup.js',
      globalTeardown: '<rootDir>/test/support/global-teardown.js',
    },
  ],
};
