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
    const hasKey = table.primaryKey.length > 0 && table.primaryKey.every((name) => columns.includes(name));
    const key = hasKey ? table.primaryKey : columns;
    const there = after.find((other) => other.table.name === table.name);
    const found = grouped(there?.rows ?? [], key);
    for (const row of rows) {
      // Taken away once it is found: of two equal rows without a key, one may be gone.
      const same = found.get(keyOf(row, key))?.shift();
      if (!same) lost.add(`${table.shown}.*`);
      else for (const name of columns) if (same[name] !== row[name]) lost.add(`${table.shown}.${name}`);
    }
  }
  return [...lost].toSorted();
}

type Row = TableData['rows'][number];

function grouped(rows: readonly Row[], key: readonly string[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row, key));
    if (group) group.push(row);
    else groups.set(keyOf(row, key), [row]);
  }
  return groups;
}

function keyOf(row: Row, key: readonly string[]): string {
  return JSON.stringify(key.map((name) => row[name] ?? null));
}
