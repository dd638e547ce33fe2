import { writeFileSync } from 'node:fs';

/** Writes what a script needs to know of a test run: how many passed and failed, and which did not run. */
export default class Report {
  #file;

  constructor(_config, { file }) {
    this.#file = file;
  }

  onRunComplete(_contexts, results) {
    const assertions = results.testResults.flatMap((file) => file.testResults);
    const skipped = assertions
      .filter(
        ({ status }) =>
          status === 'pending' || status === 'todo' || status === 'skipped' || status === 'disabled',
      )
      .map(({ fullName }) => fullName);
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    writeFileSync(this.#file, JSON.stringify({ passed: results.numPassedTests, failed, skipped }));
  }
}
