import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { createTestDatabase, type LeakReport, startTestServer } from 'tombstone/testing';
import { compare, createModel } from './systems.ts';

const USAGE = `Usage: npm run leaks [-- --json]

Plants a dead row for every verb, load strategy and relation of a model that has every kind of them, and prints which
of them MikroORM as it comes, its documented recipe, and Tombstone let through.
Exit code 1 when Tombstone lets one through, or a probe proves nothing.
`;

type Reports = Record<'tombstone' | 'recipe' | 'stock', LeakReport>;

const isRight = ({ verdict }: { verdict: string }): boolean => verdict === 'tight';
const ran = (report: LeakReport): LeakReport['results'] =>
  report.results.filter((result) => result.verdict !== 'except');
const sums = (report: LeakReport): { right: number; wrong: number } => {
  const right = ran(report).filter(isRight).length;
  return { right, wrong: ran(report).length - right };
};

/** One row per verb: how many of its probes, over all entities and relations, each system answers rightly. */
function print(reports: Reports): void {
  const verbs = [...new Set(ran(reports.tombstone).map((result) => result.verb))];
  const table = new Table({
    head: ['verb', 'probes', 'stock MikroORM', 'documented recipe', 'Tombstone'],
    style: { head: [], border: [] },
  });
  const of = (report: LeakReport, verb: string): LeakReport['results'] =>
    ran(report).filter((result) => result.verb === verb);
  for (const verb of verbs) {
    const right = (report: LeakReport): number => of(report, verb).filter(isRight).length;
    table.push([
      verb,
      of(reports.tombstone, verb).length,
      right(reports.stock),
      right(reports.recipe),
      right(reports.tombstone),
    ]);
  }
  const total = (report: LeakReport): string => `${sums(report).right} of ${ran(report).length}`;
  table.push([
    'all',
    ran(reports.tombstone).length,
    total(reports.stock),
    total(reports.recipe),
    total(reports.tombstone),
  ]);
  process.stdout.write(`${table.toString()}\n`);
  for (const { name, note } of reports.tombstone.results.filter((result) => result.verdict === 'except')) {
    process.stdout.write(`not run: ${name}, ${note}\n`);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const url = process.env['DATABASE_URL'];
  const server = await startTestServer(url ? { url } : {});
  try {
    const database = await createTestDatabase(server);
    try {
      await createModel(database.url);
      conclude(await compare(database.url), values.json);
    } finally {
      await database.drop();
    }
  } finally {
    await server.stop();
  }
}

function conclude(reports: Reports, json: boolean): void {
  const controls = ran(reports.tombstone).length - reports.tombstone.vacuous.length;
  const [tombstone, recipe, stock] = [reports.tombstone, reports.recipe, reports.stock].map(sums);
  const probes = ran(reports.tombstone).length;
  if (json) process.stdout.write(`${JSON.stringify({ probes, tombstone, recipe, stock, controls })}\n`);
  else print(reports);
  const { leaks, broken, vacuous, unknown } = reports.tombstone;
  const wrong = [...leaks, ...broken, ...vacuous, ...unknown];
  for (const name of wrong) process.stderr.write(`wrong: ${name}\n`);
  if (wrong.length > 0) process.exitCode = 1;
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
