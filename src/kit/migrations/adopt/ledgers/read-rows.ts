import { DatabaseError, type QueryResultRow } from 'pg';
import { MigrationError } from '../../errors.ts';
import { isConnectionLoss, type Session } from '../../session.ts';
import type { LedgerTable } from './foreign-ledger.ts';

/** Far above any folder of files; a table with more rows is something else, and is not read into memory. */
const MOST = 50_000;

/**
 * Rows of a ledger: the select list and the order, in SQL.
 *
 * @throws MigrationError `MIGRATION.ADOPTION` when the table may not be read, or is far too long.
 */
export async function readRows<Row extends QueryResultRow>(
  session: Session,
  { table }: LedgerTable,
  columns: string,
  order: string,
): Promise<Row[]> {
  const sql = `select ${columns} from ${table} order by ${order} limit ${MOST + 1}`;
  const rows = await session.query<Row>(sql).catch((error: unknown) => {
    if (!(error instanceof DatabaseError) || isConnectionLoss(error)) throw error;
    throw refused(
      `cannot be read [${error.code}]. Grant this role the right to select from it, or name another with --ledger.`,
      table,
    );
  });
  if (rows.length > MOST)
    throw refused(`has more than ${MOST} rows. Name the table of your migrations with --ledger.`, table);
  return rows;
}

function refused(problem: string, table: string): MigrationError {
  return new MigrationError('MIGRATION.ADOPTION', `The ledger ${table} ${problem}`, undefined, { table });
}
