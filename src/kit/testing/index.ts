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
  type LeakReportJson,
  leakReportJson,
  type LeakSuiteOptions,
  type LeakSuiteOrm,
  type LeakSums,
  type ProbeResult,
  runLeakSuite,
  type Verdict,
  type ViewedEntities,
} from './leaks/index.ts';
export {
  findUnguarded,
  formatSqlFindings,
  type SoftDeletableTable,
  softDeletableTables,
  type SqlFinding,
  type SqlReport,
  type SqlWatch,
  type Unguarded,
  type WatchedOrm,
  watchSql,
} from './sql/index.ts';
