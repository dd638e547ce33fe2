import { randomUUID } from 'node:crypto';
import { Client, type ClientConfig } from 'pg';
import { MigrationError } from '../errors.ts';
import { type Beat, beatSql, CREATE_VERSIONS, HAS_VERSIONS, leaveSql } from './code-versions.ts';
import { type Floor, floorAbove, HAS_FLOORS, READ_FLOORS } from './floor.ts';
import { SERVICE } from './directive.ts';
import { versionOf } from './version.ts';

/** Something that runs one statement of SQL: an EntityManager, or a connection of it. */
export interface SqlRunner {
  execute(sql: string): Promise<unknown>;
}

export interface CodeVersion {
  /** The same name in every instance; letters, digits, dots, dashes and underscores. */
  readonly service: string;
  /** MAJOR.MINOR.PATCH of the code that runs. */
  readonly version: string;
  /** How long the instance counts as running after a heartbeat, in milliseconds. Default one minute. */
  readonly ttlMs?: number;
  /**
   * A heartbeat that failed, or that found the code too old by now, because the instance had lost the database for longer
   * than its time. The next one comes after a third of the time. By default nobody is told.
   */
  onError?(error: unknown): void;
}

/** An instance that is registered until it is closed, or its process ends and the time runs out. */
export interface Registration {
  readonly instance: string;
  /** Ends the heartbeat and takes the instance out at once. */
  close(): Promise<void>;
}

/**
 * Says that code of this version is running on the database, and goes on saying so. A contract step that needs newer code
 * waits for it. Call it when a service starts, and before it reads anything.
 *
 * @param database an EntityManager outside of any transaction, or a URL or what `pg` takes, for a connection a heartbeat.
 * @throws RangeError for a service, a version or a time that is none.
 * @throws MigrationError `MIGRATION.CODE_TOO_OLD` when a contract step has taken away what this version needs.
 * @throws MigrationError `MIGRATION.LEDGER` when the table cannot be made or written.
 */
export async function registerCodeVersion(
  database: SqlRunner | string | ClientConfig,
  options: CodeVersion,
): Promise<Registration> {
  const beat = beatOf(options);
  const run = runnerFor(database);
  try {
    await ensureTable(run);
    await sendBeat(run, beat);
  } catch (error) {
    throw tableError(error);
  }
  let beating = Promise.resolve();
  const timer = setInterval(() => {
    beating = sendBeat(run, beat).catch((error: unknown) => options.onError?.(error));
  }, beat.ttlMs / 3);
  // A service that has nothing else to do may end.
  timer.unref();
  return {
    instance: beat.instance,
    close: async () => {
      clearInterval(timer);
      // One that is on its way would put the row back.
      await beating;
      await run(leaveSql(beat));
    },
  };
}

function beatOf({ service, version, ttlMs = 60_000 }: CodeVersion): Beat {
  if (!SERVICE.test(service))
    throw new RangeError('service must be a name of letters, digits, dots, dashes and underscores.');
  if (!versionOf(version)) throw new RangeError('version must be MAJOR.MINOR.PATCH, such as 1.4.0.');
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 100 || ttlMs > 2_000_000_000)
    throw new RangeError('ttlMs must be a whole number of milliseconds from 100 on.');
  return { service, version, ttlMs, instance: randomUUID() };
}

/** Registered first and looked then: a contract step does it the other way round, so one of the two sees the other. */
async function sendBeat(run: Run, beat: Beat): Promise<void> {
  await run(beatSql(beat));
  const [table] = (await run(HAS_FLOORS)) as { found: boolean }[];
  const floor = table?.found ? floorAbove((await run(READ_FLOORS)) as Floor[], beat) : undefined;
  if (!floor) return;
  await run(leaveSql(beat));
  throw new MigrationError(
    'MIGRATION.CODE_TOO_OLD',
    `${beat.service} ${beat.version} is too old for this database: ${floor.filename} needs ${floor.needs} or newer. ` +
      'Deploy newer code, or revert that file; when its run was interrupted, run "migrate up" first.',
    floor.filename,
    { service: beat.service, version: beat.version, needs: floor.needs },
  );
}

type Run = (sql: string) => Promise<unknown>;

function runnerFor(database: SqlRunner | string | ClientConfig): Run {
  if (typeof database === 'object' && 'execute' in database) return (sql) => database.execute(sql);
  const config = typeof database === 'string' ? { connectionString: database } : database;
  return async (sql) => {
    const client = new Client({ application_name: 'tombstone code version', ...config });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query(sql)).rows as unknown;
    } finally {
      await client.end().catch(() => undefined);
    }
  };
}

/** Several that start together make it at once, and IF NOT EXISTS does not keep them apart: 23505, 42P07, 42710. */
async function ensureTable(run: Run): Promise<void> {
  const [table] = (await run(HAS_VERSIONS)) as { found: boolean }[];
  if (table?.found) return;
  await run(CREATE_VERSIONS).catch((error: unknown) => {
    if (!['23505', '42P07', '42710'].includes(sqlStateOf(error))) throw error;
  });
}

function tableError(error: unknown): unknown {
  const code = sqlStateOf(error);
  if (!/^(42|3F|25)/.test(code)) return error;
  return new MigrationError(
    'MIGRATION.LEDGER',
    `The table of code versions, public.schema_migration_code_versions, cannot be used [${code}]. Grant this role the right to create it once, and to read and write it.`,
  );
}

/** The ORM translates what its driver throws, and keeps the original as the cause. */
function sqlStateOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return /^[0-9A-Z]{5}$/.test(code) ? code : sqlStateOf(error.cause);
}
