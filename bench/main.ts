import { cpus, loadavg, tmpdir } from 'node:os';
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
import { deletionMemory, memoryTable } from './deletion-memory.ts';
import { flushWorkloads } from './flush.ts';
import { compare, type Comparison } from './comparison/comparison.ts';
import { readRecorded, writeRecorded } from './comparison/guard.ts';
import { writeGrowth, writeResults } from './comparison/results.ts';
import { ratiosToRecord, runGuard } from './comparison/run-guard.ts';
import { growthTables } from './comparison/growth-tables.ts';
import { runGrowth as growTables } from './comparison/run-growth.ts';
import { profile, profileTable } from './comparison/run-profile.ts';
import { tablesOf } from './comparison/tables.ts';
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
  const plan = quick ? { rounds: 2, callsPerRound: 2 } : { rounds, callsPerRound: 20, warmUp: 1000 };
  const measured: Measured[] = [];
  for (const workload of all) {
    if (!isAsked(workload.name, only)) continue;
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
  // Its end does not wait for its sessions, and the drop of the database cuts those that have not gone yet.
  pool.on('error', () => undefined);
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

const isAsked = (workload: string, only: readonly string[]): boolean =>
  only.length === 0 || only.some((name) => workload === name || workload.startsWith(`${name}-`));

/** Those with parts of their own below; every other name is one of `runWorkloads`. */
const isOfComparison = (name: string): boolean =>
  /^(W\d|cascade|restore|purge)/.test(name) || /^(start-up|packages)$/.test(name);
const isOfMigrations = (name: string): boolean => name.startsWith('migrations');
const isOfGrowth = (name: string): boolean => name.startsWith('growth');

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

type Part = (server: TestServer, options: BenchArguments) => Promise<Measured[]>;

/** A part that needs one database, which it fills. */
const onDatabase =
  (run: (url: string, options: BenchArguments) => Promise<Measured[]>): Part =>
  async (server, options) => {
    const database = await createTestDatabase(server);
    try {
      return await run(database.url, options);
    } finally {
      await database.drop();
    }
  };

/** The workloads within one process, each part where it is asked for. */
async function runOwn(server: TestServer, options: BenchArguments): Promise<Measured[]> {
  const { only } = options;
  const isOther = (name: string): boolean =>
    [isOfMigrations, isOfGrowth, isOfComparison].some((is) => is(name));
  const isAll = only.length === 0;
  const parts: { run: Part; isAsked: boolean }[] = [
    { run: onDatabase(runWorkloads), isAsked: isAll || !only.every(isOther) },
    { run: onDatabase(runMigrations), isAsked: isAll || only.some(isOfMigrations) },
    { run: runGrowth, isAsked: only.some(isOfGrowth) },
  ];
  const measured: Measured[] = [];
  for (const { run } of parts.filter((part) => part.isAsked)) measured.push(...(await run(server, options)));
  return measured;
}

async function runAll(server: TestServer, options: BenchArguments): Promise<void> {
  const measured = await runOwn(server, options);
  const comparison = await compare(server, { ...options, isAsked: (name) => isAsked(name, options.only) });
  const environment = environmentOf(server);
  const all = { environment, ...comparison, measured: [...measured, ...comparison.measured] };
  if (options.json) process.stdout.write(`${JSON.stringify(all)}\n`);
  else if (measured.length > 0) print(measured, environment);
  if (measured.length === 0 && isEmpty(comparison))
    throw new TypeError(`No workload is called ${options.only.join(' or ')}. Run with --help to see names.`);
  if (isEmpty(comparison)) return;
  if (!options.json) process.stdout.write(`${tablesOf(comparison)}\n${environment}\n`);
  process.stderr.write(`${await writeResults(comparison, environment)}\n`);
}

const isEmpty = ({ measured, startUp, packages }: Comparison): boolean =>
  measured.length + startUp.length + packages.length === 0;

const environmentOf = ({ version }: TestServer): string =>
  [
    `PostgreSQL ${version}, Node ${process.versions.node}, ${process.platform}-${process.arch}`,
    `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`,
    `load of the machine ${loadavg()
      .map((load) => load.toFixed(1))
      .join(', ')}`,
  ].join('; ');

async function guard(server: TestServer, { only, recorded, json }: BenchArguments): Promise<void> {
  const file = readRecorded(recorded);
  const { slower, ratios } = await runGuard(server, file, (name) => isAsked(name, only));
  if (json)
    process.stdout.write(`${JSON.stringify({ environment: environmentOf(server), slower, ratios })}\n`);
  for (const { workload, library, recorded: was, measured } of slower)
    process.stderr.write(
      `${workload}: ${library} reaches ${measured} of pg instead of ${was}, three times in a row.\n`,
    );
  if (slower.length > 0) {
    process.stderr.write(
      'Find out what made it slower; if it has to be, run "npm run bench -- --record" and commit what it writes.\n',
    );
    process.exitCode = 1;
  } else if (!json)
    process.stdout.write('No library of this repository is more than 1.5 times slower than recorded.\n');
}

async function showProfile(server: TestServer, { only, libraries, json }: BenchArguments): Promise<void> {
  const profiles = await profile(server, libraries, (name) => isAsked(name, only));
  const environment = environmentOf(server);
  process.stdout.write(
    json ? `${JSON.stringify({ environment, profiles })}\n` : `${profileTable(profiles)}\n${environment}\n`,
  );
}

/** Others stay as they were recorded. */
async function record(server: TestServer, { only, recorded }: BenchArguments): Promise<void> {
  const ratios = await ratiosToRecord(server, (name) => isAsked(name, only));
  writeRecorded({ ...readRecorded(recorded), ...ratios }, recorded);
}

async function showMemory(server: TestServer, { quick, json }: BenchArguments): Promise<void> {
  const memory = await deletionMemory(server, quick ? 100_000 : 1_000_000);
  const environment = environmentOf(server);
  process.stdout.write(
    json ? `${JSON.stringify({ environment, memory })}\n` : `${memoryTable(memory)}\n${environment}\n`,
  );
}

/** In the short form no figure is worth a file. */
async function showGrowth(server: TestServer, options: BenchArguments): Promise<void> {
  const growth = await growTables(server, options);
  const environment = environmentOf(server);
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ environment, ...growth })}\n`
      : `${growthTables(growth)}\n${environment}\n`,
  );
  if (!options.quick) process.stderr.write(`${await writeGrowth(growth, environment)}\n`);
}

async function main(): Promise<void> {
  const options = readArguments(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(USAGE);
    return;
  }
  const url = process.env['DATABASE_URL'];
  // On the disk, where a commit has its price; the guard looks at the cost of the libraries alone, and stays in memory.
  const place = options.guard || options.record ? {} : { dataParent: tmpdir() };
  // A pool for each library, all at once.
  const settings = { max_connections: 400 };
  const server = await startTestServer(url ? { url } : { durable: true, settings, ...place });
  try {
    if (options.memory) await showMemory(server, options);
    else if (options.growth) await showGrowth(server, options);
    else if (options.profile) await showProfile(server, options);
    else if (options.record) await record(server, options);
    else await (options.guard ? guard : runAll)(server, options);
  } finally {
    await server.stop();
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
