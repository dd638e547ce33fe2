import { randomBytes } from 'node:crypto';
import {
  type TestDatabase,
  type TestServer,
  createTestDatabase,
  startTestServer,
} from '../../src/kit/testing/index.ts';
import { dropDatabases } from './drop-databases.ts';

let server: Promise<TestServer> | undefined;

/** The server of this test run; stopping it is the global teardown's task. */
export function testServer(): Promise<TestServer> {
  return (server ??= connect());
}

/** A database of its own with all migrations of the gateway applied; close your connections, it drops itself. */
export function cloneTestDatabase(): Promise<TestDatabase> {
  return make(fromSetup('TOMBSTONE_TEST_TEMPLATE'));
}

/** A database of its own with nothing in it; close your connections, it drops itself. */
export function emptyTestDatabase(): Promise<TestDatabase> {
  return make();
}

async function make(template?: string): Promise<TestDatabase> {
  const name = `${workerPrefix()}${randomBytes(4).toString('hex')}`;
  return createTestDatabase(await testServer(), template ? { name, template } : { name });
}

// A worker runs one test file at a time, so this is the moment to drop the databases of its file before. A hook here
// would run before the hooks with which the test file closes its connections; the teardown drops what is left.
async function connect(): Promise<TestServer> {
  const url = fromSetup('TOMBSTONE_TEST_SERVER');
  await dropDatabases(url, workerPrefix());
  return startTestServer({ url });
}

function workerPrefix(): string {
  return `tombstone_test_${fromSetup('TOMBSTONE_TEST_RUN')}_${fromSetup('JEST_WORKER_ID')}_`;
}

function fromSetup(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`${name} is not set: run the tests through jest, whose global setup sets it.`);
}
