import { MikroORM } from '@mikro-orm/postgresql';
import Table from 'cli-table3';
import { Pool } from 'pg';
import { gateway } from '../src/gateway/index.ts';
import { defineDataConfig } from '../src/index.ts';
import { Migrator } from '../src/kit/migrations/index.ts';
import { createTestDatabase, startTestServer, type TestServer } from '../src/kit/testing/index.ts';
import { accountSelectionWorkloads } from './account-selection.ts';
import { type BenchArguments, readArguments, USAGE } from './arguments.ts';
import { fill } from './data.ts';
import { flushWorkloads } from './flush.ts';
import { CALLERS, gatewayWorkloads } from './gateway.ts';
import { growthWorkloads } from './growth.ts';
import { measure, type Measured, type Workload } from './measure.ts';
import { migrationWorkloads } from './migrations.ts';
import { verify } from './verify.ts';
import { ormVerbWorkloads } from './orm-verbs.ts';
import { overheadWorkloads, stockOrm } from './overhead.ts';
import type { Interval } from './statistics.ts';
import { subscriptionWorkloads } from './subscriptions.ts';
import { GENERATION } from './usage-history.ts';
import { usageWorkloads } from './usage.ts';
import { workloads } from './workloads.ts';

/** Those that were asked for, each after its variants were seen to do the same. */
async function measureAll(
  all: readonly Workload[],
  { quick, only, rounds }: BenchArguments,
): Promise<Measured[]> {
  const plan = quick ? { rounds: 2, callsPerRound: 5 } : { rounds, callsPerRound: 20 };
  const measured: Measured[] = [];
  for (const workload of all) {
    if (only.length > 0 && !only.some((name) => isNamed(workload.name, name))) continue;
    await verify(workload);
    measured.push(...(await measure(workload, plan)));
  }
  return measured;
}

async function runMigrations(url: string, options: BenchArguments): Promise<Measured[]> {
  const migrations = await migrationWorkloads(url, options.quick);
  try {
    return await measureAll(migrations.workloads, options);
  } finally {
    migrations.delete();
  }
}

/** Makes a database of each size, which takes minutes. */
async function runGrowth(server: TestServer, options: BenchArguments): Promise<Measured[]> {
  const databases = [await createTestDatabase(server), await createTestDatabase(server)] as const;
  try {
    const sizes = [GENERATION.logs, options.rows] as const;
    const growth = await growthWorkloads([databases[0].url, databases[1].url], sizes);
    try {
      return await measureAll(growth.workloads, options);
    } finally {
      await growth.close();
    }
  } finally {
    for (const database of databases) await database.drop();
  }
}

async function runWorkloads(url: string, options: BenchArguments): Promise<Measured[]> {
  await new Migrator({ connection: url, modules: [gateway] }).up();
  await fill(url);
  const size = { min: 0, max: CALLERS };
  const pool = new Pool({ connectionString: url, ...size });
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway], pool: size }));
  const stock = await stockOrm(url);
  try {
    const em = orm.em.fork();
    const all = [
      ...gatewayWorkloads(pool, em),
      ...(await accountSelectionWorkloads(pool, em)),
      ...subscriptionWorkloads(pool, em),
      ...workloads(pool, em),
      ...overheadWorkloads(stock, orm),
      ...flushWorkloads(pool, stock, orm),
      ...(await usageWorkloads(pool, em)),
      ...(await ormVerbWorkloads(pool, stock, orm)),
    ];
    return await measureAll(all, options);
  } finally {
    await orm.close();
    await stock.close();
    await pool.end();
  }
}

const isNamed = (workload: string, name: string): boolean =>
  workload === name || workload.startsWith(`${name}-`);

const show = ({ median, low, high }: Interval): string =>
  `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;

function print(measured: readonly Measured[], environment: string): void {
  const table = new Table({
    head: ['workload', 'variant', 'median µs', 'p99 µs', 'throughput, first = 1.00', 'by processor time'],
    style: { head: [], border: [] },
  });
  for (const { workload, variant, median, p99, ratio, cpuRatio } of measured) {
    table.push([workload, variant, median.toFixed(0), p99.toFixed(0), show(ratio), show(cpuRatio)]);
  }
  process.stdout.write(`${table.toString()}\n${environment}\n`);
}

async function main(): Promise<void> {
  const options = readArguments(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(USAGE);
    return;
  }
  const url = process.env['DATABASE_URL'];
  const server = await startTestServer(url ? { url } : { durable: true });
  try {
    const database = await createTestDatabase(server);
    const migrations = await createTestDatabase(server);
    try {
      const needs = (other: RegExp): boolean =>
        options.only.length === 0 || !options.only.every((name) => other.test(name));
      const grows = options.only.some((name) => name.startsWith('growth'));
      const measured = [
        ...(needs(/^(migrations|growth)/) ? await runWorkloads(database.url, options) : []),
        ...(needs(/^growth/) ? await runMigrations(migrations.url, options) : []),
        ...(grows ? await runGrowth(server, options) : []),
      ];
      const environment = `PostgreSQL ${server.version}, Node ${process.versions.node}, ${process.platform}-${process.arch}`;
      if (options.json) process.stdout.write(`${JSON.stringify({ environment, measured })}\n`);
      else print(measured, environment);
    } finally {
      await database.drop();
      await migrations.drop();
    }
  } finally {
    await server.stop();
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
