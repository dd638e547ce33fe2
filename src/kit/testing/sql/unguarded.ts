import { type Deed, MentionFinder } from './mentions.ts';
import { type Statement, statementsOf } from './parser.ts';
import type { SoftDeletableTable } from './tables.ts';
import { isWaived } from './waiver.ts';

/** One mention of a soft-deletable table without its predicate, or a text that cannot be judged. */
export interface Unguarded {
  /** As the statement names it; empty where the statement cannot be read. */
  readonly table: string;
  readonly alias: string;
  readonly reason: Deed | 'unreadable';
  /** Where it stands in the text, counted from 0. */
  readonly position: number;
}

/**
 * Lists what a SQL text, of one statement or several, does to soft-deletable tables without saying which of their rows it
 * means. A mention is guarded by `deleted_at IS NULL` or `IS NOT NULL` of its own alias, as a conjunct of the WHERE of its own
 * query level or of an ON that decides about it. A statement with a waiver, a comment such as
 * `soft-delete: all rows, because the audit counts them`, has none.
 *
 * Placeholders may be `$1` or MikroORM's `?`. What lies behind a view or a function is not seen.
 */
export async function findUnguarded(
  sql: string,
  tables: readonly SoftDeletableTable[],
): Promise<Unguarded[]> {
  const statements = await statementsOf(sql);
  if (!statements) {
    const whole = { start: 0, end: Buffer.byteLength(sql) };
    return (await isWaived(sql, whole)) ? [] : [{ table: '', alias: '', reason: 'unreadable', position: 0 }];
  }
  const found = await Promise.all(statements.map((statement) => judged(sql, statement, tables)));
  return found.flat();
}

async function judged(
  sql: string,
  statement: Statement,
  tables: readonly SoftDeletableTable[],
): Promise<Unguarded[]> {
  const mentions = new MentionFinder(tables).find(statement.node);
  // To scan a text costs more than to parse it, and most have nothing to waive.
  if (mentions.length === 0 || (await isWaived(sql, statement))) return [];
  const bytes = Buffer.from(sql);
  return mentions.map(({ deed, table, alias, location }) => ({
    table,
    alias,
    reason: deed,
    position: bytes.subarray(0, location).toString().length,
  }));
}
