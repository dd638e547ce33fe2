import { DatabaseError } from 'pg';
import type { Session } from '../session.ts';
import { type Richness, sentinelFor } from './sentinel-values.ts';
import type { ColumnShape, ForeignKeyShape, TableShape } from './table-shapes.ts';

const ROWS = 2;

type Values = Map<string, string | null>;

/**
 * Puts rows into every table: the first with a value in each column, the second with NULL where that is allowed.
 *
 * @param base added to the number of a row, so that a second planting does not collide with the first.
 * @returns a sentence for each table that took no row.
 */
export async function plantSentinels(
  session: Session,
  tables: readonly TableShape[],
  richness: Richness,
  base = 0,
): Promise<string[]> {
  const refused: string[] = [];
  for (const table of tables) {
    let planted = 0;
    let reason = '';
    for (let n = base + 1; n <= base + ROWS; n += 1) {
      const problem = await plantRow(session, table, n, richness, n > base + 1);
      if (problem === undefined) planted += 1;
      else reason = problem;
    }
    if (planted === 0) refused.push(`No row could be planted in ${table.shown}: ${reason}.`);
  }
  return refused;
}

/** Tries with all columns and with only those that must have a value. */
async function plantRow(
  session: Session,
  table: TableShape,
  n: number,
  richness: Richness,
  sparse: boolean,
): Promise<string | undefined> {
  let problem: string | undefined;
  for (const isSparse of sparse ? [true, false] : [false, true]) {
    const values = await valuesFor(session, table, n, richness, isSparse);
    problem = typeof values === 'string' ? values : await insert(session, table, values);
    if (problem === undefined) return undefined;
  }
  return problem;
}

async function valuesFor(
  session: Session,
  table: TableShape,
  n: number,
  richness: Richness,
  isSparse: boolean,
): Promise<Values | string> {
  const values: Values = new Map();
  for (const key of table.foreignKeys) {
    const parent = await parentOf(session, key, n);
    const isOptional = key.columns.some((name) => columnOf(table, name)?.isNullable);
    if (!parent && !isOptional) return `${key.target} has no row to refer to`;
    key.columns.forEach((name, index) => values.set(name, parent?.[index] ?? null));
  }
  for (const column of table.columns) {
    const { name, isServerMade, isNullable, hasDefault } = column;
    if (values.has(name) || isServerMade || (isSparse && hasDefault)) continue;
    const value = isSparse && isNullable ? null : sentinelFor(column, n, richness);
    if (value !== undefined) values.set(name, value);
    else if (!isNullable && !hasDefault) return `nothing is known to write into a ${column.type}`;
  }
  return values;
}

const columnOf = (table: TableShape, name: string): ColumnShape | undefined =>
  table.columns.find((column) => column.name === name);

/** A different parent for each row as far as there are enough, because the reference may be unique. */
async function parentOf(
  session: Session,
  { target, targetColumns }: ForeignKeyShape,
  n: number,
): Promise<(string | null)[] | undefined> {
  const list = targetColumns.map((column) => `${column}::text`).join(', ');
  const rows = await session.query<{ key: (string | null)[] }>(
    `select array[${list}] as key from ${target} order by 1 limit 9`,
  );
  return rows[(n - 1) % Math.max(rows.length, 1)]?.key;
}

/** One statement is one transaction, so a refused row leaves nothing. */
async function insert(session: Session, { name }: TableShape, values: Values): Promise<string | undefined> {
  const columns = [...values.keys()];
  const marks = columns.map((_, index) => `$${index + 1}`);
  const sql =
    columns.length === 0
      ? `insert into ${name} default values`
      : `insert into ${name} (${columns.join(', ')}) values (${marks.join(', ')})`;
  try {
    await session.query(sql, [...values.values()]);
    return undefined;
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return `the server refused it [${error.code}]${error.constraint ? ` (${error.constraint})` : ''}`;
  }
}
