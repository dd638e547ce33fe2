import { execFile, execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { Migrator } from '../src/kit/migrations/index.ts';
import type { Variant, Workload } from './measure.ts';
import { type GeneratedModule, generateFiles } from './migration-files.ts';

const LEDGER = 'select filename, checksum, applied_at from public.schema_migrations';

/** The workloads of the migration engine, on a database of its own; `delete` removes their files. */
export interface MigrationWorkloads {
  readonly workloads: readonly Workload[];
  delete(): void;
}

/** `up` beside what it cannot do without: the ledger's rows and the files' bytes, or psql running the same files. */
export async function migrationWorkloads(url: string, quick: boolean): Promise<MigrationWorkloads> {
  const applied = generateFiles(quick ? 50 : 500, quick ? 150 : 1875, { notx: false });
  const fresh = generateFiles(quick ? 40 : 400, quick ? 150 : 1500, { notx: false, seed: 2 });
  return {
    workloads: [nothingPending(url, applied), wholeRun(url, fresh)],
    delete: () => {
      applied.delete();
      fresh.delete();
    },
  };
}

function nothingPending(url: string, module: GeneratedModule): Workload {
  const migrator = new Migrator({ connection: url, modules: [module] });
  let isReady = false;
  const prepare = async (): Promise<void> => {
    if (isReady) return;
    await empty(url);
    await migrator.up();
    isReady = true;
  };
  const query = async (): Promise<number> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query(LEDGER);
    await client.end();
    return rows.length;
  };
  const floor = async (): Promise<object> => {
    const names = await readdir(module.migrations);
    await Promise.all([query(), ...names.map((name) => readFile(join(module.migrations, name)))]);
    return { id: 0 };
  };
  const up = async (): Promise<object> => ({ id: (await migrator.up()).steps.length });
  return {
    name: 'migrations-nothing-pending',
    share: 0.25,
    variants: [
      { name: 'connect, one query, read the files', prepare, run: floor },
      { name: 'tombstone migrate up', prepare, run: up },
    ],
  };
}

function wholeRun(url: string, module: GeneratedModule): Workload {
  const prepare = (): Promise<void> => empty(url);
  const migrator = new Migrator({ connection: url, modules: [module] });
  const up: Variant = {
    name: 'tombstone migrate up',
    prepare,
    run: async () => ({ id: (await migrator.up()).steps.length }),
  };
  const psql = psqlVariants(url, module, prepare);
  const [first, ...others] = [...psql, up];
  return { name: 'migrations-whole-run', share: 0.05, variants: [first ?? up, ...others] };
}

/** psql, where the machine has it, with all files in one process and one transaction: nothing could be quicker. */
function psqlVariants(url: string, module: GeneratedModule, prepare: () => Promise<void>): Variant[] {
  try {
    execFileSync('psql', ['--version'], { stdio: 'ignore' });
  } catch {
    process.stderr.write('psql is not installed: the whole run has nothing to be compared with.\n');
    return [];
  }
  const files = module.paths.flatMap((path) => ['-f', path]);
  const args = ['-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', ...files, url];
  const run = async (): Promise<object> => {
    await promisify(execFile)('psql', args);
    return { id: module.paths.length };
  };
  return [{ name: 'psql -1, all files at once', prepare, run }];
}

async function empty(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('set client_min_messages to warning; drop schema public cascade; create schema public');
  await client.end();
}
