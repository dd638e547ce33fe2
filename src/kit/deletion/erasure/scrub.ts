import { type EntityMetadata, type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import { escapeIdentifier } from 'pg';
import type { DataEntityManager } from '../../orm/index.ts';
import { DELETED_AT } from '../../soft-delete/index.ts';
import type { Run } from '../catalogue.ts';
import type { DeletionGraph, GraphTable } from '../graph.ts';
import { hasKey } from '../key-sql.ts';
import { ErasureError } from './erasure-error.ts';

/** The values to overwrite with, by property. */
export type ScrubValues = Readonly<Record<string, unknown>>;

/**
 * The columns of the properties that are to be overwritten.
 *
 * @throws ErasureError for a property that is none, or whose columns others depend on, or that cannot be null and should be.
 */
export function columnsToScrub(
  graph: DeletionGraph,
  table: GraphTable,
  meta: EntityMetadata,
  values: ScrubValues,
): string[] {
  const entries = Object.entries(values);
  if (entries.length === 0) throw ErasureError.nothingToScrub(meta.className);
  return entries.flatMap(([name, value]) => {
    const prop = meta.properties[name as never] as EntityProperty | undefined;
    const rule = prop
      ? ruleAgainst(prop, value, graph, table)
      : 'the entity has no such property. Correct the name.';
    if (rule !== undefined) throw ErasureError.column(meta.className, name, rule);
    return prop?.fieldNames ?? [];
  });
}

function ruleAgainst(
  prop: EntityProperty,
  value: unknown,
  graph: DeletionGraph,
  table: GraphTable,
): string | undefined {
  if (value === undefined) return 'it has no value. Give one, or null.';
  if (prop.primary)
    return 'it is the primary key, by which other rows and the journal know the row. Remove the row instead.';
  if (prop.name === DELETED_AT) return 'it marks the row as deleted. Delete or restore the row instead.';
  const columns = prop.fieldNames?.map((name) => table.columns.find((column) => column.name === name)) ?? [];
  const isStored =
    columns.length > 0 && columns.every(Boolean) && STORED.has(prop.kind) && prop.persist !== false;
  if (!isStored) return 'it has no column of its own. Name a property that is stored in the row.';
  if (columns.some((column) => column?.generated)) return 'it is computed from other columns. Scrub those.';
  if (columns.some((column) => isSetByOrm(table, column?.name ?? '')))
    return 'every write sets it by itself. Leave it out.';
  const isReferred = graph.edges.some(
    ({ parent, referenced }) =>
      parent === table && columns.some((column) => column && referenced.includes(column)),
  );
  if (isReferred) return 'a foreign key of another table leads to it. Remove the row instead.';
  if (value === null && columns.some((column) => !column?.nullable))
    return 'it cannot be null. Give a value that tells nothing.';
  return undefined;
}

/** An embeddable without a column of its own is spread over several properties. */
const STORED: ReadonlySet<ReferenceKind> = new Set([
  ReferenceKind.SCALAR,
  ReferenceKind.EMBEDDED,
  ReferenceKind.MANY_TO_ONE,
  ReferenceKind.ONE_TO_ONE,
]);

const isSetByOrm = (table: GraphTable, column: string): boolean =>
  table.touch.some((assignment) => isOf(assignment, column));

const isOf = (assignment: string, column: string): boolean =>
  assignment.startsWith(`${escapeIdentifier(column)} =`);

/** Overwrites the row, dead or live, and leaves its mark as it is. */
export async function scrubRow(
  em: DataEntityManager,
  run: Run,
  { meta, table, key }: { readonly meta: EntityMetadata; readonly table: GraphTable; readonly key: string },
  values: ScrubValues,
): Promise<void> {
  const where = whereKey(meta, table, key);
  const changed = await em.nativeUpdate(meta.class as never, where, { ...values });
  if (changed === 0) throw ErasureError.resisted(table.name);
  // The core raises the version of whatever it updates, and sets no instants.
  const version =
    meta.versionProperty && (meta.properties[meta.versionProperty] as EntityProperty).fieldNames[0];
  const touch = table.touch.filter((one) => !version || !isOf(one, version));
  if (touch.length === 0) return;
  const isRow = hasKey(table, 't', '?').replaceAll('(?)', '(?::text)');
  await run(
    `update ${table.sql} t set ${touch.join(', ')} where ${isRow} /* soft-delete: a dead row too, because it is what is scrubbed */`,
    table.primaryKey.map(() => key),
  );
}

function whereKey(meta: EntityMetadata, { primaryKey }: GraphTable, key: string): object {
  const parts = primaryKey.length === 1 ? [key] : (JSON.parse(key) as string[]);
  const part = (column: string | undefined) => parts[primaryKey.findIndex(({ name }) => name === column)];
  return Object.fromEntries(
    meta.primaryKeys.map((name) => [
      name,
      part((meta.properties[name as never] as EntityProperty).fieldNames[0]),
    ]),
  );
}
