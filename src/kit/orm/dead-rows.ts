import {
  type Dictionary,
  type EntityMetadata,
  QueryFlag,
  QueryOrder,
  raw,
  type Transaction,
} from '@mikro-orm/core';
import { QueryBuilder } from '@mikro-orm/postgresql';
import { DELETED_AT } from '../soft-delete/index.ts';
import type { DataDriver } from './data-driver.ts';
import { hiddenSql } from './hidden-conflicts.ts';
import { deletedAtColumn, instantsSetOnUpdate } from './live-predicate.ts';
import { amongTexts, type RowTexts, takeTexts, textsOf } from './row-texts.ts';
import { columnsOf } from './upsert-target.ts';

/** Read by those who look at statements, and by the check of raw SQL. */
const ALL_ROWS = 'soft-delete: all rows, because the policy of an upsert looks for deleted ones';

/** A row that an upsert met, or has found beside the one that it inserted. */
export interface HeldRow {
  readonly key: RowTexts;
  readonly unique: RowTexts;
  /** Deleted, or hidden by a dead target. False for a row that an older snapshot still shows as live: it was deleted after the transaction's first statement. */
  readonly dead: boolean;
  /** Which of the upsert's rows has its key; 0 where that is not known, which only costs the order. */
  readonly place: number;
}

/** Where the rows of an upsert are, and by which unique key it went. */
export interface RowsByUnique {
  readonly driver: DataDriver;
  readonly meta: EntityMetadata;
  readonly fields: readonly string[];
  readonly schema?: string;
  readonly convertCustomTypes?: boolean;
}

/** The rows of the table, dead or live, that hold one of the unique keys, given as conditions. */
export async function rowsHolding(
  rows: RowsByUnique,
  conditions: readonly Dictionary[],
  ctx?: Transaction,
): Promise<HeldRow[]> {
  if (conditions.length === 0) return [];
  return read(rows, builderOf(rows, rows.meta.root, ctx).where({ $or: conditions } as never));
}

/**
 * The rows beside those that were inserted a moment ago, the one deleted last for each unique key. A live row holds its key
 * alone, so all others are dead, and no deletion can hide from this look: it ended before the insert could succeed.
 *
 * `of` tells whether rows of other classes in the same table count.
 */
export async function deadRowsBeside(
  rows: RowsByUnique,
  inserted: readonly Omit<HeldRow, 'dead'>[],
  of: 'class' | 'table',
  ctx: Transaction,
): Promise<HeldRow[]> {
  if (inserted.length === 0) return [];
  const quote = quoteOf(rows);
  const { key, unique } = namesOf(rows);
  const meta = of === 'class' ? rows.meta : rows.meta.root;
  const same = amongTexts(
    unique,
    inserted.map((row) => row.unique),
    quote,
  );
  const own = amongTexts(
    key,
    inserted.map((row) => row.key),
    quote,
  );
  const builder = builderOf(rows, meta, ctx).where(`${same.sql} and not ${own.sql}`, [
    ...same.params,
    ...own.params,
  ] as never);
  const lastFirst = [DELETED_AT, ...meta.primaryKeys].map((name) => ({
    [name]: QueryOrder.DESC_NULLS_FIRST,
  }));
  builder.orderBy(lastFirst as never);
  const places = new Map(inserted.map((row) => [JSON.stringify(row.unique), row.place]));
  const newest = new Map<string, HeldRow>();
  for (const row of await read(rows, builder)) {
    const text = JSON.stringify(row.unique);
    if (!newest.has(text)) newest.set(text, { ...row, place: places.get(text) ?? 0 });
  }
  return [...newest.values()];
}

/** Lifts the mark of these rows as long as they hold their unique key; answers how many. */
export async function reviveRows(
  rows: RowsByUnique,
  dead: readonly HeldRow[],
  ctx: Transaction,
): Promise<number> {
  const { key, unique } = namesOf(rows);
  const texts = dead.map((row) => [...row.key, ...row.unique]);
  const { sql, params } = amongTexts([...key, ...unique], texts, quoteOf(rows));
  const builder = builderOf(rows, rows.meta, ctx, false);
  const now = raw('now()');
  const touched = instantsSetOnUpdate(rows.meta).map((name) => [name, now]);
  const { affectedRows } = await builder
    .update({ [DELETED_AT]: null, ...Object.fromEntries(touched) } as never)
    .where(`${sql} and ${quoteOf(rows)(deletedAtColumn(rows.meta))} is not null`, params as never)
    .execute('run');
  return affectedRows;
}

/** The core's own builder: the guarded one does not see the rows that are looked for. */
function builderOf(
  { driver, schema, convertCustomTypes }: RowsByUnique,
  meta: EntityMetadata,
  ctx?: Transaction,
  isRead = true,
): QueryBuilder<object> {
  const builder = new QueryBuilder<object>(meta.class, driver.getMetadata(), driver, ctx, undefined, 'write');
  if (isRead && convertCustomTypes === false) builder.unsetFlag(QueryFlag.CONVERT_CUSTOM_TYPES);
  return builder.withSchema(driver.getSchemaName(meta, { schema })).comment(ALL_ROWS);
}

async function read(rows: RowsByUnique, builder: QueryBuilder<object>): Promise<HeldRow[]> {
  const quote = quoteOf(rows);
  const { key, unique } = namesOf(rows);
  const hidden = hiddenSql(rows.driver, rows.meta, builder.alias, rows.schema);
  const absent = [`${quote(deletedAtColumn(rows.meta))} is not null`, ...(hidden ? [hidden] : [])];
  const isDead = raw(`(${absent.join(' or ')}) as "dead"`);
  const columns = [...textsOf('key', key, quote), ...textsOf('unique', unique, quote), isDead];
  const found = await builder.select(columns as never).execute<Dictionary[]>('all', false);
  return found.map((row) => ({
    key: takeTexts('key', key.length, row) ?? [],
    unique: takeTexts('unique', unique.length, row) ?? [],
    dead: row['dead'] === true,
    place: 0,
  }));
}

function namesOf({ meta, fields }: RowsByUnique): { key: string[]; unique: string[] } {
  return { key: columnsOf(meta, meta.primaryKeys), unique: columnsOf(meta, fields) };
}

function quoteOf({ driver }: RowsByUnique): (name: string) => string {
  return (name) => driver.getPlatform().quoteIdentifier(name);
}
