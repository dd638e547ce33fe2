/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        module: { type: 'es6' },
        jsc: { target: 'es2023', parser: { syntax: 'typescript' }, keepClassNames: true },
      },
    ],
  },
  moduleNameMapper: {
    '^tombstone$': '<rootDir>/src/index.ts',
    '^tombstone/(deletion|migrations|testing)$': '<rootDir>/src/kit/$1/index.ts',
    '^tombstone/(gateway|devices|media)$': '<rootDir>/src/$1/index.ts',
  },
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  reporters: ['default', ['<rootDir>/test/support/report.js', { file: process.env.TEST_REPORT }]],
  // Finds a test that hangs; a busy machine may be several times slower than an idle one.
  testTimeout: 120_000,
  maxWorkers: 2,
  workerIdleMemoryLimit: '1GB',
};
