export { TestServerError, type TestServerErrorCode } from './errors.ts';
export { startTestServer, type TestServer, type TestServerOptions } from './test-server.ts';
export type { EmbeddedServerOptions } from './embedded-server.ts';
export type { RunAs } from './run-as.ts';
export type { FakeClock } from './server-commands.ts';
export {
  createTemplate,
  createTestDatabase,
  type DatabaseHost,
  type TestDatabase,
  type TestDatabaseOptions,
} from './test-database.ts';
export { withRollback } from './rollback.ts';
export {
  type CanaryValues,
  formatLeakReport,
  type LeakReport,
  type LeakSuiteOptions,
  type LeakSuiteOrm,
  type ProbeResult,
  runLeakSuite,
  type Verdict,
} from './leaks/index.ts';
