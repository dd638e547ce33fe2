import { type EntityMetadata, type EntityProperty, type Platform } from '@mikro-orm/core';
import { type ArrayColumn, arrayColumnOf, arrayText, keyOrder } from './array-column.ts';
import type { SetColumn } from './array-update.ts';
import { constantSql } from './constant-sql.ts';

type Row = Readonly<Record<string, unknown>>;

/** What a batch of change sets does to one table, column by column. */
export interface BatchUpdate {
  readonly keys: readonly ArrayColumn[];
  readonly sets: readonly SetColumn[];
  /** The columns whose new values only the database knows, and the keys, by which the core finds the entity of a row. */
  readonly returning: readonly string[];
}

/**
 * The batch that the core hands to its driver, turned from rows into columns; undefined for one that arrays cannot hold: a
 * condition on more than the key, a change of the key, a value that is SQL of its own, a property of several columns.
 */
export function batchUpdate(
  meta: EntityMetadata,
  conditions: readonly unknown[],
  given: readonly Row[],
  platform: Platform,
): BatchUpdate | undefined {
  const unordered = keyColumns(meta, conditions, platform);
  if (!unordered) return undefined;
  const order = keyOrder(unordered);
  const inOrder = <T>(list: readonly T[]): T[] =>
    (order ?? [...list.keys()]).map((place) => list[place] as T);
  const keys = unordered.map(({ column, values }) => ({ column, values: inOrder(values) }));
  const rows = inOrder(given);
  const properties = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) properties.add(name);
  const sets: SetColumn[] = [];
  const returned = new Set(meta.getPrimaryProps().flatMap((prop) => prop.fieldNames));
  for (const name of properties) {
    const set = meta.primaryKeys.includes(name) ? undefined : setColumn(propOf(meta, name), rows, platform);
    if (!set || sets.some((other) => other.column === set.column)) return undefined;
    if (typeof set.values === 'string') returned.add(set.column);
    sets.push(set);
  }
  for (const prop of meta.props) {
    if (prop.generated || prop.version) for (const column of prop.fieldNames) returned.add(column);
  }
  return sets.length > 0 ? { keys, sets, returning: [...returned] } : undefined;
}

function propOf(meta: EntityMetadata, name: string): EntityProperty | undefined {
  return (meta.properties[name as never] ?? meta.root.properties[name as never]) as
    EntityProperty | undefined;
}

function keyColumns(
  meta: EntityMetadata,
  conditions: readonly unknown[],
  platform: Platform,
): ArrayColumn[] | undefined {
  const props = meta.getPrimaryProps();
  const keys: ArrayColumn[] = [];
  for (const prop of props) {
    const column = arrayColumnOf(prop);
    const values = column === undefined ? undefined : textsOf(prop, conditions as Row[], platform);
    if (column === undefined || !values || values.includes(null)) return undefined;
    keys.push({ column, values });
  }
  const isKeyOnly = (conditions as Row[]).every((one) => Object.keys(one).length === props.length);
  return isKeyOnly ? keys : undefined;
}

function textsOf(
  prop: EntityProperty,
  rows: readonly Row[],
  platform: Platform,
): ArrayColumn['values'] | undefined {
  const texts: ArrayColumn['values'] = [];
  for (const row of rows) {
    const text = arrayText(row[prop.name], platform, prop);
    if (text === undefined) return undefined;
    texts.push(text);
  }
  return texts;
}

function setColumn(
  prop: EntityProperty | undefined,
  rows: readonly Row[],
  platform: Platform,
): SetColumn | undefined {
  const column = prop && arrayColumnOf(prop);
  if (!prop || column === undefined) return undefined;
  const given = rows.map((row) => prop.name in row);
  const own = given.every(Boolean) ? { column } : { column, given };
  const values = constantOf(prop.name, rows) ?? textsOf(prop, rows, platform);
  return values === undefined ? undefined : { ...own, values };
}

/** A piece of SQL that all rows which have the property set it to. */
function constantOf(name: string, rows: readonly Row[]): string | undefined {
  let constant: string | undefined;
  for (const row of rows) {
    if (!(name in row)) continue;
    const sql = constantSql(row[name]);
    if (sql === undefined || (constant !== undefined && constant !== sql)) return undefined;
    constant = sql;
  }
  return constant;
}
