// Fails when a test did not run and test/skipped.json gives no reason for it.
import { readFileSync } from 'node:fs';

const reasons = JSON.parse(readFileSync(new URL('../skipped.json', import.meta.url), 'utf8'));
const { skipped } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const silent = skipped.filter((name) => !reasons[name]);

for (const name of skipped) console.log(`skipped: ${name} (${reasons[name] ?? 'no reason given'})`);
if (silent.length > 0) {
  console.error('Give each skipped test a reason in test/skipped.json, by its full name, or let it run.');
  process.exit(1);
}
console.log(`${skipped.length} tests skipped`);
