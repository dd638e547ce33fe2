import {
  type Dictionary,
  type EntityMetadata,
  getOnConflictFields,
  getOnConflictReturningFields,
  type QueryResult,
  raw,
  type Transaction,
} from '@mikro-orm/core';
import { DELETED_AT, type VisibleRows } from '../soft-delete/index.ts';
import type { HeldRow } from './dead-rows.ts';
import type { GuardedQueryBuilder } from './guarded-query-builder.ts';
import { deletedAtColumn, instantsSetOnUpdate } from './live-predicate.ts';
import { takeTexts, textsOf } from './row-texts.ts';
import { looksBeside, type UpsertRequest } from './upsert-request.ts';
import { columnsOf, isByProperties } from './upsert-target.ts';

/** A row that was not there before. */
export type InsertedRow = Omit<HeldRow, 'dead'>;

/** What one INSERT … ON CONFLICT wrote. */
export interface Written {
  readonly result: QueryResult<object>;
  /** None where no dead row has to be looked for beside them. */
  readonly inserted: readonly InsertedRow[];
}

/** Rows for one statement, from the `place` in all of them, and the dead rows to revive before it. */
interface Part {
  readonly place: number;
  readonly rows: readonly Dictionary[];
  readonly dead?: readonly HeldRow[];
}

/**
 * Cuts the rows where a dead one is to be revived. Reviving all of them first would be fewer statements, but would lock
 * keys out of their order, and two sessions would wait for each other.
 */
export function partsOf(rows: readonly Dictionary[], dead: readonly HeldRow[]): Part[] {
  const places = [...new Set(dead.map((row) => row.place))].toSorted((left, right) => left - right);
  const cuts = [...new Set([0, ...places.flatMap((place) => [place, place + 1])])];
  return cuts
    .map((place, index) => ({
      place,
      rows: rows.slice(place, cuts[index + 1]),
      dead: places.includes(place) ? dead.filter((row) => row.place === place) : undefined,
    }))
    .filter((part) => part.rows.length > 0);
}

/** How a conflict is answered: which rows it may change; `none` leaves them all as they are. */
export type OnConflict = VisibleRows | 'none';

const REVIVES = 'soft-delete: all rows, because the policy of the upsert revives deleted ones';
const INSERTED = 'upsert_inserted';

/** The one statement of an upsert. Unlike the core's, it sets `updated_at`, raises the version and keeps primary keys. */
export async function insertOnConflict(
  request: UpsertRequest,
  rows: readonly Dictionary[],
  onConflict: OnConflict,
  ctx?: Transaction,
): Promise<Written> {
  const { driver, meta, fields, options } = request;
  const builder = driver.createQueryBuilder(
    meta.class,
    ctx,
    'write',
    options.convertCustomTypes,
    options.loggerContext,
  ) as unknown as GuardedQueryBuilder<object>;
  builder.withSchema(driver.getSchemaName(meta, options));
  const { signal, inflightQueryAbortStrategy } = options;
  if (signal) builder.setAbortOptions({ signal, inflightQueryAbortStrategy });
  const insert = builder
    .insert(rows as never)
    .onConflict(fields as never)
    .returning(returningOf(request) as never);
  const merge = onConflict === 'none' ? {} : mergeOf(request, onConflict);
  if (Object.keys(merge).length === 0) insert.ignore();
  else insert.merge(merge as never);
  if (onConflict !== 'none') builder.conflictRows = onConflict;
  if (onConflict === 'all') builder.comment(REVIVES);
  if (options.onConflictWhere) insert.where(options.onConflictWhere as never);
  const result = await builder.execute<QueryResult<object>>('run', { mapResults: false });
  return { result, inserted: takeInserted(request, result.rows ?? []) };
}

function mergeOf(
  { driver, meta, first, fields, options }: UpsertRequest,
  onConflict: OnConflict,
): Dictionary {
  const quote = (name: string) => driver.getPlatform().quoteIdentifier(name);
  const listed = new Set<string>(options.onConflictMergeFields ?? []);
  const names = getOnConflictFields(meta, first as never, fields as never, options as never) as string[];
  const kept = names.filter((name) => listed.has(name) || !isKept(meta, name));
  const merge: Dictionary = Object.fromEntries(
    columnsOf(meta, kept).map((column) => [column, raw(`excluded.${quote(column)}`)]),
  );
  const excluded = new Set<string>(options.onConflictExcludeFields ?? []);
  for (const name of instantsSetOnUpdate(meta)) {
    if (!kept.includes(name) && !excluded.has(name)) merge[columnsOf(meta, [name])[0] ?? name] = raw('now()');
  }
  if (onConflict !== 'live') merge[deletedAtColumn(meta)] = null;
  return { ...merge, ...nextVersion(meta, quote) };
}

/** The key of a row that exists stays, and its version is raised and not given. */
function isKept(meta: EntityMetadata, name: string): boolean {
  return meta.primaryKeys.includes(name) || name === meta.versionProperty;
}

function nextVersion(meta: EntityMetadata, quote: (name: string) => string): Dictionary {
  if (!meta.versionProperty) return {};
  const column = columnsOf(meta, [meta.versionProperty])[0] ?? '';
  const isInstant = meta.properties[meta.versionProperty as never]?.['runtimeType'] === 'Date';
  const next = isInstant ? 'now()' : `${quote(meta.tableName)}.${quote(column)} + 1`;
  return { [column]: raw(next) };
}

function returningOf(request: UpsertRequest): unknown[] {
  const { driver, meta, first, fields, options } = request;
  const quote = (name: string) => driver.getPlatform().quoteIdentifier(name);
  const unknown = new Set([
    ...instantsSetOnUpdate(meta),
    DELETED_AT,
    meta.versionProperty,
    meta.root.discriminatorColumn,
  ]);
  const known = Object.fromEntries(Object.entries(first).filter(([name]) => !unknown.has(name)));
  const names = getOnConflictReturningFields(meta, known as never, fields as never, options as never);
  const properties = new Set([...(names as string[]), ...meta.primaryKeys, DELETED_AT]);
  if (!looksBeside(request) || !isByProperties(fields)) return [...properties];
  return [
    ...properties,
    // A row that was there before carries the lock of the update in its xmax. A partitioned table has none to show.
    raw(`xmax = 0 as ${quote(INSERTED)}`),
    ...textsOf('key', columnsOf(meta, meta.primaryKeys), quote),
    ...textsOf('unique', columnsOf(meta, fields), quote),
  ];
}

function takeInserted(request: UpsertRequest, rows: Dictionary[]): InsertedRow[] {
  const { meta, fields } = request;
  if (!looksBeside(request) || !isByProperties(fields)) return [];
  const counts = [columnsOf(meta, meta.primaryKeys).length, columnsOf(meta, fields).length] as const;
  return rows.flatMap((row, place) => {
    const key = takeTexts('key', counts[0], row);
    const unique = takeTexts('unique', counts[1], row);
    const isInserted = row[INSERTED] === true;
    delete row[INSERTED];
    return isInserted && key && unique ? [{ key, unique, place }] : [];
  });
}
