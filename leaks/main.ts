import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { Utils } from '@mikro-orm/core';
import { createTestDatabase, startTestServer } from 'tombstone/testing';
import { type Matrix, matrixOf, ran, type Reports, sums } from './matrix.ts';
import { matrixPage } from './matrix-page.ts';
import { compare, createModel } from './systems.ts';

const USAGE = `Usage: npm run leaks [-- --json | --markdown]

Plants a dead row for every verb, load strategy and relation of a model that has every kind of them, and prints which
of them MikroORM as it comes, its documented recipe, and Tombstone let through.
Exit code 1 when Tombstone lets one through, or a probe proves nothing.
`;

/** One row per verb: how many of its probes, over all entities and relations, each system answers rightly. */
function print({ all, verbs, notRun }: Matrix): void {
  const table = new Table({
    head: ['verb', 'probes', 'stock MikroORM', 'documented recipe', 'Tombstone'],
    style: { head: [], border: [] },
  });
  for (const { group, probes, right } of [...verbs, all]) table.push([group, probes, ...right]);
  process.stdout.write(`${table.toString()}\n`);
  for (const { name, note } of notRun) process.stdout.write(`not run: ${name}, ${note}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const url = process.env['DATABASE_URL'];
  const server = await startTestServer(url ? { url } : {});
  try {
    const database = await createTestDatabase(server);
    try {
      await createModel(database.url);
      const { reports, metadata } = await compare(database.url);
      const matrix = matrixOf(reports, metadata);
      const versions = {
        mikroOrm: Utils.getORMVersion(),
        postgresql: server.version,
        node: process.versions.node,
      };
      if (values.json) printJson(reports, matrix);
      else if (values.markdown) process.stdout.write(`${matrixPage(matrix, versions)}\n`);
      else print(matrix);
      judge(reports);
    } finally {
      await database.drop();
    }
  } finally {
    await server.stop();
  }
}

function printJson(reports: Reports, matrix: Matrix): void {
  const controls = ran(reports.tombstone).length - reports.tombstone.vacuous.length;
  const [tombstone, recipe, stock] = [reports.tombstone, reports.recipe, reports.stock].map(sums);
  const probes = ran(reports.tombstone).length;
  process.stdout.write(`${JSON.stringify({ probes, tombstone, recipe, stock, controls, matrix })}\n`);
}

function judge({ tombstone: { leaks, broken, vacuous, unknown } }: Reports): void {
  const wrong = [...leaks, ...broken, ...vacuous, ...unknown];
  for (const name of wrong) process.stderr.write(`wrong: ${name}\n`);
  if (wrong.length > 0) process.exitCode = 1;
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
