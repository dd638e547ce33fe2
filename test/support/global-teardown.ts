import { dropDatabases } from './drop-databases.ts';
import { currentTestRun } from './test-run.ts';

/** Drops every database of this run, or stops the server with all of them in it when it is ours. */
export default async function globalTeardown(): Promise<void> {
  const testRun = currentTestRun();
  if (!testRun) return;
  const { server, template, run, withdraw } = testRun;
  if (withdraw) {
    await dropDatabases(server.url(), `tombstone_test_${run}_`);
    await template.drop();
    await withdraw();
  }
  await server.stop();
}
