// A program that starts a test server and ends in the way it is told; the tests watch what stays behind.
import { TestServerError, type TestServerOptions, startTestServer } from '../../src/kit/testing/index.ts';

/** How the program ends after its server is up; with `wait` somebody else must end it. */
export type Ending = 'exit' | 'throw' | 'drain' | 'stop' | 'wait' | 'stop when told';

const { options, ending }: { options: TestServerOptions; ending: Ending } = JSON.parse(
  process.argv[2] ?? '{}',
);

try {
  const server = await startTestServer(options);
  const { pid, supervisorPid, directory, version } = server;
  console.log(JSON.stringify({ url: server.url(), pid, supervisorPid, directory, version }));
  if (ending === 'exit') process.exit(0);
  if (ending === 'throw') setTimeout(() => { throw new Error('uncaught on purpose'); }); // prettier-ignore
  if (ending === 'stop') await server.stop();
  // The pipe closes when the test runner is killed.
  if (ending === 'wait') process.stdin.once('end', () => process.exit(4)).resume();
  if (ending === 'stop when told') process.stdin.once('end', () => void server.stop()).resume();
} catch (error) {
  if (!(error instanceof TestServerError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
  process.exitCode = 3;
}
