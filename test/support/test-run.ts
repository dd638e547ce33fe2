import type { TestDatabase, TestServer } from '../../src/kit/testing/index.ts';

/** What the global setup made and the global teardown removes; both run in the same process. */
export interface TestRun {
  readonly server: TestServer;
  readonly template: TestDatabase;
  /** Part of the name of every database of this run. */
  readonly run: string;
  /** Ends the announcement of this run to others on the same server; only with TEST_DATABASE_URL. */
  readonly withdraw?: () => Promise<void>;
}

let current: TestRun | undefined;

/** Remembers the run for the teardown, and tells the test files, which are other processes, through the environment. */
export function setTestRun(testRun: TestRun): void {
  current = testRun;
  process.env['TOMBSTONE_TEST_SERVER'] = testRun.server.url();
  process.env['TOMBSTONE_TEST_TEMPLATE'] = testRun.template.name;
  process.env['TOMBSTONE_TEST_RUN'] = testRun.run;
}

/** The run of this process; undefined when the setup failed. */
export function currentTestRun(): TestRun | undefined {
  return current;
}
