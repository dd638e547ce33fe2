import type { Session } from '../session.ts';
import type { TableShape } from './table-shapes.ts';

/** The rows of a table: each a value as text, or NULL, for each column. */
export interface TableData {
  readonly table: TableShape;
  readonly rows: readonly Readonly<Record<string, string | null>>[];
}

/** All rows of all tables. */
export async function readData(session: Session, tables: readonly TableShape[]): Promise<TableData[]> {
  const data: TableData[] = [];
  for (const table of tables) {
    const pairs = table.columns.map(({ name }, index) => `${name}::text as "${index}"`);
    const found = await session.query<Record<string, string | null>>(
      `select ${pairs.join(', ')} from ${table.name}`,
    );
    const rows = found.map((row) =>
      Object.fromEntries(table.columns.map(({ name }, index) => [name, row[String(index)] ?? null])),
    );
    data.push({ table, rows });
  }
  return data;
}

/**
 * What of the first is not in the second any more: `table.column`, or `table.*` where whole rows are gone. Rows are the same when
 * their primary keys are, and without one when all their values are. Rows that came are no loss.
 *
 * @param known only tables and columns for which it is true.
 */
export function lossesBetween(
  before: readonly TableData[],
  after: readonly TableData[],
  known: (table: string, column: string) => boolean = () => true,
): string[] {
  const lost = new Set<string>();
  for (const { table, rows } of before) {
    const columns = table.columns.map(({ name }) => name).filter((name) => known(table.name, name));
    if (columns.length === 0) continue;
    const key = table.primaryKey.length > 0 ? table.primaryKey : columns;
    const keyOf = (row: Readonly<Record<string, string | null>>): string =>
      JSON.stringify(key.map((name) => row[name] ?? null));
    const there = after.find((other) => other.table.name === table.name);
    const found = new Map(there?.rows.map((row) => [keyOf(row), row]));
    for (const row of rows) {
      const same = found.get(keyOf(row));
      if (!same) lost.add(`${table.shown}.*`);
      else for (const name of columns) if (same[name] !== row[name]) lost.add(`${table.shown}.${name}`);
    }
  }
  return [...lost].toSorted();
}
