import { loadMigrations, type MigrationFile, type MigrationSource } from '../files.ts';
import { type LedgerRow, readLedger } from '../ledger.ts';
import { withReplay } from '../rebuild/replay.ts';
import { inArrivalOrder } from '../rebuild/arrival-order.ts';
import type { Connection } from '../rebuild/connection.ts';
import { withScratch } from '../rebuild/scratch.ts';
import { Session } from '../session.ts';
import type { Variables } from '../substitute.ts';
import { describeSchema, type SchemaDescription } from './description.ts';
import { differenceOf, type SchemaDifference } from './difference.ts';
import { lastTouched } from './last-touched.ts';
import { withoutRunTimePartitions } from './run-time-partitions.ts';

/** Which database is compared with which files. */
export interface DriftOptions {
  readonly connection: Connection;
  readonly modules: readonly MigrationSource[];
  readonly variables?: Variables | undefined;
  /** An empty database, for a role that may not create one; it is emptied again. */
  readonly scratch?: Connection | undefined;
  /** Ends the comparison, and drops its database. */
  readonly signal?: AbortSignal | undefined;
  /** Called while the rebuilt database is there, with pending files applied too: what entities are compared with. */
  readonly inspect?: ((rebuilt: Connection) => Promise<void>) | undefined;
}

/** One object that the live database and the rebuilt one do not share. */
export interface DriftFinding extends SchemaDifference {
  /** The file that made, changed or dropped the object last; undefined when no file did. */
  readonly file: string | undefined;
}

/** What a comparison has found. */
export interface Drift {
  readonly findings: readonly DriftFinding[];
  /** The files that were rebuilt: those that the ledger lists, in the order in which they were applied. */
  readonly files: readonly string[];
  /** Files that the ledger does not list; nothing of them is expected. */
  readonly pending: readonly string[];
  /** Files of these modules that the ledger lists and the disk does not have: what they made looks unexpected. */
  readonly missing: readonly string[];
}

/**
 * Rebuilds the applied files in a scratch database and compares it with the live one, which is only read.
 *
 * @throws MigrationError `MIGRATION.SCRATCH`, or the failure of a file in the scratch database.
 */
export async function findDrift(options: DriftOptions): Promise<Drift> {
  const files = await loadMigrations(options.modules);
  const { rows, live } = await readLive(options.connection);
  const applied = inArrivalOrder(files, rows);
  const pending = files.filter((file) => !applied.includes(file));
  const differences = await withScratch(options, (scratch) =>
    withReplay(scratch, options, async (replay) => {
      for (const file of applied) await replay.run(file);
      const rebuilt = await describeSchema(replay.session);
      if (options.inspect) {
        for (const file of pending) await replay.run(file);
        await options.inspect(scratch);
      }
      return withoutRunTimePartitions(differenceOf(rebuilt, live));
    }),
  );
  return {
    findings: differences.length === 0 ? [] : await withFiles(options, applied, differences),
    files: applied.map(({ name }) => name),
    pending: pending.map(({ name }) => name),
    missing: missingFrom(files, rows, options.modules),
  };
}

/** Looking at the schema after each file takes time, so it is done only when there is something to tell. */
async function withFiles(
  options: DriftOptions,
  applied: readonly MigrationFile[],
  differences: readonly SchemaDifference[],
): Promise<DriftFinding[]> {
  const fileOf = await withScratch(options, (scratch) =>
    withReplay(scratch, options, (replay) => lastTouched(replay, applied)),
  );
  return differences.map((difference) => ({ ...difference, file: fileOf(difference) }));
}

async function readLive(connection: Connection): Promise<{ rows: LedgerRow[]; live: SchemaDescription }> {
  const session = await Session.open(connection);
  try {
    await session.reset();
    return { rows: await readLedger(session), live: await describeSchema(session) };
  } catch (error) {
    throw session.explain(error);
  } finally {
    await session.close();
  }
}

function missingFrom(
  files: readonly MigrationFile[],
  rows: readonly LedgerRow[],
  modules: readonly MigrationSource[],
): string[] {
  const known = new Set(files.map(({ name }) => name));
  const isOurs = (name: string): boolean => modules.some((module) => name.startsWith(`${module.name}/`));
  return rows.flatMap(({ filename }) => (isOurs(filename) && !known.has(filename) ? filename : []));
}
