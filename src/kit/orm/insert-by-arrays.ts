import {
  type Dictionary,
  type EntityMetadata,
  type EntityProperty,
  isRaw,
  type LoggingOptions,
  type Platform,
  type QueryResult,
  ReferenceKind,
  type Transaction,
} from '@mikro-orm/core';
import { arrayColumnOf, arrayLiteral, arrayText } from './array-column.ts';
import { arrayStatement, typedArray } from './array-statement.ts';
import { captureOf } from './captured-statement.ts';
import { constantSql } from './constant-sql.ts';
import type { DataDriver } from './data-driver.ts';
import { flushesQuickly } from './layer-options.ts';
import { livePredicates } from './live-predicates.ts';
import { MAX_VALUES } from './statement-template.ts';

/** As far as they matter here. */
interface Options {
  readonly schema?: string;
  readonly ctx?: Transaction;
  readonly convertCustomTypes?: boolean;
  readonly loggerContext?: LoggingOptions;
  readonly signal?: unknown;
  readonly inflightQueryAbortStrategy?: unknown;
}

type Rows = readonly Dictionary[];

/**
 * Inserts many rows by one prepared statement with an array for each column, where the core writes a text with all values in it, which
 * PostgreSQL parses anew. Undefined, and nothing was sent, for rows that have to go the core's way, and for few values, which the
 * core's own statement takes as parameters.
 */
export async function insertByArrays(
  driver: DataDriver,
  entity: EntityMetadata,
  rows: Rows,
  options: Options,
): Promise<QueryResult<Dictionary> | undefined> {
  const meta = entity.root;
  const names = namesOf(rows);
  // One row, however wide, has an array of one element for each column, which takes longer than its text.
  const isMany = rows.length > 1 && rows.length * names.length > MAX_VALUES;
  if (!isMany || !isPlain(driver, entity, options)) return undefined;
  const returning = returningOf(meta, rows[0] as Dictionary);
  // A role that may only insert reads nothing back, and could not be asked for the types of its columns either.
  if (returning.length === 0) return undefined;
  const columns = columnsOf(driver.getPlatform(), meta, names, rows, options.convertCustomTypes !== false);
  if (!columns?.some(({ values }) => typeof values !== 'string')) return undefined;
  const { text, values } = arrayInsert(driver, meta, columns, returning, options.schema);
  const statement = arrayStatement(text);
  if (!statement || driver.config.get('onQuery')(text, values) !== text) return undefined;
  const connection = driver.getConnection('write');
  const query = { ...statement, values };
  const found = await connection.executeNamed<Dictionary>(query, options.ctx, options.loggerContext);
  const [row] = found;
  const [key, ...others] = meta.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames);
  const insertId: unknown = others.length === 0 ? row?.[key ?? ''] : undefined;
  return { affectedRows: found.length, insertId: insertId as never, row, rows: found };
}

function namesOf(rows: Rows): string[] {
  const names = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) names.add(name);
  return [...names];
}

/** What else is asked for than rows of one table is the core's business. */
function isPlain(driver: DataDriver, entity: EntityMetadata, options: Options): boolean {
  const { signal, inflightQueryAbortStrategy, loggerContext } = options;
  const isOneTable = entity.inheritanceType === undefined && !entity.root.inheritanceType && !entity.view;
  const isSent = signal == null && inflightQueryAbortStrategy == null && !captureOf(loggerContext);
  return flushesQuickly(driver.config) && isOneTable && isSent;
}

/** As the core chooses them: what the database fills, unless the first row has it. */
function returningOf(meta: EntityMetadata, first: Dictionary): string[] {
  return meta.props.flatMap((prop) => {
    const { returning, persist, defaultRaw, autoincrement, generated, name, fieldNames } = prop;
    const isFilled = (persist !== false && defaultRaw !== undefined) || autoincrement || generated;
    const isAsked = returning || (isFilled && (!(name in first) || isRaw(first[name])));
    return isAsked ? fieldNames : [];
  });
}

/** A column with the elements of its array, or with one piece of SQL for all rows. */
interface InsertColumn {
  readonly column: string;
  readonly values: (string | null)[] | string;
}

/** Undefined where one of them has to go another way, as the collection of a link table, or is left to its default in some rows only. */
function columnsOf(
  platform: Platform,
  meta: EntityMetadata,
  names: readonly string[],
  rows: Rows,
  converts: boolean,
): InsertColumn[] | undefined {
  const columns: InsertColumn[] = [];
  for (const name of names) {
    const prop = Object.hasOwn(meta.properties, name) ? (meta.properties[name] as EntityProperty) : undefined;
    const column = prop && prop.kind !== ReferenceKind.EMBEDDED ? arrayColumnOf(prop) : undefined;
    if (!prop || column === undefined || columns.some((before) => before.column === column)) return undefined;
    const values = constantOf(name, rows) ?? textsOf(platform, prop, rows, converts);
    if (values === undefined) return undefined;
    columns.push({ column, values });
  }
  return columns;
}

function constantOf(name: string, rows: Rows): string | undefined {
  const constant = constantSql(rows[0]?.[name]);
  return rows.every((row) => constantSql(row[name]) === constant) ? constant : undefined;
}

function textsOf(
  platform: Platform,
  prop: EntityProperty,
  rows: Rows,
  converts: boolean,
): (string | null)[] | undefined {
  const type = converts ? prop.customType : undefined;
  const texts: (string | null)[] = [];
  for (const row of rows) {
    const given: unknown = row[prop.name];
    const value: unknown = given === null && prop.nullable ? null : (given ?? prop.default);
    if (value === undefined || isRaw(value)) return undefined;
    const isNull = value === null && prop.nullable === true;
    const stored: unknown =
      type && !isNull
        ? type.convertToDatabaseValue(value, platform, { key: prop.name, mode: 'query-data' })
        : value;
    const text = arrayText(stored, platform, prop);
    if (text === undefined || (text === null && !isNull)) return undefined;
    texts.push(text);
  }
  return texts;
}

function arrayInsert(
  driver: DataDriver,
  meta: EntityMetadata,
  columns: readonly InsertColumn[],
  returning: readonly string[],
  schema: string | undefined,
): { text: string; values: string[] } {
  const quote = (name: string): string => driver.getPlatform().quoteIdentifier(name);
  const { table, live } = livePredicates(driver, meta, schema);
  const values: string[] = [];
  // In the list of what is selected, and not behind FROM, where the elements of an array of rows would become a column for each field.
  const selected = columns.map((one) => {
    if (typeof one.values === 'string') return one.values;
    values.push(arrayLiteral(one.values));
    return `unnest(${typedArray(`$${values.length}`, quote(one.column), table, live('x'))})`;
  });
  const text =
    `insert into ${table} (${columns.map(({ column }) => quote(column)).join(', ')}) ` +
    `select ${selected.join(', ')} returning ${returning.map(quote).join(', ')}`;
  return { text, values };
}
