import { MikroORM } from '@mikro-orm/postgresql';
import Table from 'cli-table3';
import { Pool } from 'pg';
import { gateway } from '../src/gateway/index.ts';
import { defineDataConfig } from '../src/index.ts';
import { Migrator } from '../src/kit/migrations/index.ts';
import { createTestDatabase, startTestServer } from '../src/kit/testing/index.ts';
import { accountSelectionWorkloads } from './account-selection.ts';
import { type BenchArguments, readArguments, USAGE } from './arguments.ts';
import { fill } from './data.ts';
import { CALLERS, gatewayWorkloads } from './gateway.ts';
import { measure, type Measured, type Workload } from './measure.ts';
import { migrationWorkloads } from './migrations.ts';
import { verify } from './verify.ts';
import { ormVerbWorkloads } from './orm-verbs.ts';
import { overheadWorkloads, stockOrm } from './overhead.ts';
import type { Interval } from './statistics.ts';
import { subscriptionWorkloads } from './subscriptions.ts';
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
      const measured = [
        ...(options.only.length > 0 && options.only.every((name) => name.startsWith('migrations'))
          ? []
          : await runWorkloads(database.url, options)),
        ...(await runMigrations(migrations.url, options)),
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
