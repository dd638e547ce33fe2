import type { Session } from '../../session.ts';
import type { Applied, LedgerHistory, LedgerTable } from './foreign-ledger.ts';
import { readRows } from './read-rows.ts';

interface GolangMigrateRow {
  readonly version: string;
  readonly dirty: boolean;
}

/** The one row says up to which file everything is applied, and whether the last run has ended. No row: nothing is. */
export async function readGolangMigrate(session: Session, table: LedgerTable): Promise<LedgerHistory> {
  const columns = 'version::text, dirty';
  const rows = await readRows<GolangMigrateRow & Record<string, unknown>>(session, table, columns, 'version');
  const problem = problemOf(rows, table.table);
  // Whether that version is done, and whether its neighbours are, nothing tells then.
  if (problem !== undefined) return { applied: [], problems: [problem], notes: [] };
  const applied = rows.map(({ version }): Applied => ({ kind: 'up-to', version, isFile: true }));
  return { applied, problems: [], notes: [] };
}

function problemOf(rows: readonly GolangMigrateRow[], table: string): string | undefined {
  if (rows.length > 1)
    return `${table} has ${rows.length} rows, and golang-migrate keeps one. Delete all but the one that is true, and run again.`;
  const [row] = rows;
  if (row?.dirty !== true) return undefined;
  const where = Number(row.version) < 0 ? 'while it reverted the first file' : `at version ${row.version}`;
  return `A run of golang-migrate has failed ${where} and left the database dirty. Look at what that file has done, finish or undo it by hand, say so with "migrate force VERSION" of golang-migrate, and run again.`;
}
