import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTemplate, startTestServer } from '../../src/kit/testing/index.ts';
import { announceRun, dropAbandonedDatabases } from './drop-databases.ts';
import { migrateGateway } from './migrate-gateway.ts';
import { setTestRun } from './test-run.ts';

/** Starts the server of this test run, or uses that of TEST_DATABASE_URL, and migrates the template once. */
export default async function globalSetup(): Promise<void> {
  // Tests run before anything is built.
  process.env['BENCH_FROM_SOURCES'] = '1';
  // Processes that tests start would each compile the same sources.
  process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'node-compile-cache');
  const url = process.env['TEST_DATABASE_URL'];
  const server = await startTestServer(url ? { url } : {});
  // Several runs may share a server, so every name carries the run.
  const run = randomBytes(4).toString('hex');
  const withdraw = url ? await announceRun(url, run) : undefined;
  try {
    if (url) await dropAbandonedDatabases(url);
    const template = await createTemplate(server, `tombstone_template_${run}`, migrateGateway);
    setTestRun({ server, template, run, withdraw });
  } catch (error) {
    // There is no teardown after a failed setup.
    await withdraw?.();
    await server.stop();
    throw error;
  }
}
