import { readFileSync, writeFileSync } from 'node:fs';

const SKIPPED = new Set(['pending', 'todo', 'skipped', 'disabled']);

/** Says which tests did not run and why, and writes the counts for a script when it is given a file. */
export default class Report {
  #config;
  #file;

  constructor(config, { file } = {}) {
    this.#config = config;
    this.#file = file;
  }

  onRunComplete(_contexts, results) {
    const assertions = results.testResults.flatMap((file) => file.testResults);
    const skipped = assertions.filter(({ status }) => SKIPPED.has(status)).map(({ fullName }) => fullName);
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    // A run of chosen tests leaves all others out on purpose.
    if (!this.#config.testNamePattern) tell(skipped);
    if (this.#file)
      writeFileSync(this.#file, JSON.stringify({ passed: results.numPassedTests, failed, skipped }));
  }
}

function tell(skipped) {
  const reasons = JSON.parse(readFileSync(new URL('../skipped.json', import.meta.url), 'utf8'));
  for (const name of skipped)
    process.stderr.write(`not run: ${name} (${reasons[name] ?? 'no reason is given'})\n`);
}
