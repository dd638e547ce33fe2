import { type EntityMetadata, type EntityProperty, type MetadataStorage } from '@mikro-orm/core';
import { escapeIdentifier } from 'pg';
import { deletedAtColumn, instantsSetOnUpdate, ownDeletionOf } from '../orm/index.ts';
import { isSoftDeletable } from '../soft-delete/index.ts';
import {
  type Catalogue,
  type CatalogueColumn,
  type CatalogueKey,
  type CatalogueTable,
  placeOf,
  readCatalogue,
  type Run,
} from './catalogue.ts';
import { checkPolicy } from './check-policy.ts';
import { DeletionError } from './errors.ts';
import type { DeletionGraph, GraphEdge, GraphTable } from './graph.ts';
import { declaredRelations, type Relation } from './declared-relations.ts';
import { isGuarded, isLiveKey, liveKeysOf } from './live-keys.ts';

/**
 * Joins what the classes declare with the foreign keys that the database has.
 *
 * @throws DeletionError naming the foreign key and what to change, where the two contradict each other, or where neither says
 * what becomes of the rows.
 */
export async function compileGraph(
  metadata: MetadataStorage,
  schema: string | undefined,
  run: Run,
): Promise<DeletionGraph> {
  const mapped = [...(metadata as unknown as Iterable<EntityMetadata>)].filter(isTable);
  const catalogue = await readCatalogue(
    run,
    mapped.map((meta) => placeOf(meta, schema)),
  );
  if (!catalogue.hasJournal) throw DeletionError.noJournal();
  for (const meta of mapped) refuseHalfTable(meta);
  const metas = metasByTable(mapped, catalogue);
  const tables = new Map(
    catalogue.tables.map((table) => [table.oid, graphTable(table, metas.get(table.oid) ?? [], catalogue)]),
  );
  const relations = declaredRelations(mapped);
  const edges = catalogue.keys
    .filter((key) => !isLiveKey(key) && (metas.get(key.parent) ?? []).some((meta) => ownDeletionOf(meta)))
    .map((key) => graphEdge(key, { catalogue, metas, tables, relations }));
  refuseUnused(relations, edges);
  const byMeta = new Map(
    mapped.map((meta, index) => [meta.root.class, tables.get(catalogue.places[index] ?? '')]),
  );
  const byName = new Map([...tables.values()].map((table) => [table.name, table]));
  return {
    edges,
    hasHolds: catalogue.hasHolds,
    liveKeys: liveKeysOf(catalogue, tables),
    tableOf: (meta) => byMeta.get(meta.root.class),
    tableNamed: (name) => byName.get(name),
  };
}

/** What an edge is compiled from. */
interface Sources {
  readonly catalogue: Catalogue;
  readonly metas: ReadonlyMap<string, readonly EntityMetadata[]>;
  readonly tables: ReadonlyMap<string, GraphTable>;
  readonly relations: readonly Relation[];
}

/** Whether the entity has rows of its own in a table. */
export const isTable = (meta: EntityMetadata): boolean =>
  Boolean(meta.tableName) && !meta.virtual && !meta.embeddable && !meta.view;

/** A flush deletes the rows of a hierarchy as rows of its root, whatever their class. */
function refuseHalfTable({ className, root, class: target }: EntityMetadata): void {
  if (!ownDeletionOf({ class: target }) || ownDeletionOf(root)) return;
  throw DeletionError.contradiction(
    className,
    undefined,
    `deletes by policies, and ${root.className}, whose table it shares, does not. Call deletion.register(${root.className}).`,
  );
}

/** The entities of each table, by its oid. */
export function metasByTable(
  mapped: readonly EntityMetadata[],
  { places }: Catalogue,
): Map<string, EntityMetadata[]> {
  const found = new Map<string, EntityMetadata[]>();
  for (const [index, meta] of mapped.entries()) {
    const oid = places[index];
    if (oid != null) found.set(oid, [...(found.get(oid) ?? []), meta]);
  }
  return found;
}

/** A table with what its classes say of it. */
export function graphTable(
  table: CatalogueTable,
  metas: readonly EntityMetadata[],
  { keys, tables }: Catalogue,
): GraphTable {
  const meta = metas.find((one) => isSoftDeletable(one)) ?? metas[0];
  const deletedAt = meta && isSoftDeletable(meta) ? deletedAtColumn(meta) : undefined;
  const names = new Map(tables.map((one) => [one.oid, sqlName(one)]));
  return {
    name: `${table.schema}.${table.name}`,
    sql: sqlName(table),
    entity: meta?.root.className,
    columns: table.columns,
    primaryKey: table.primaryKey.map((name) => columnOf(table, name)),
    deletedAt,
    markType: table.columns.find(({ name }) => name === deletedAt)?.storedType ?? 'timestamp with time zone',
    resists: table.resists,
    touch: meta ? touchesOf(meta.root) : [],
    ownKeys: keys
      .filter((key) => key.child === table.oid && !isLiveKey(key))
      .map(({ columns, parent, referenced, period }) => ({
        columns,
        parent: names.get(parent) ?? '',
        referenced,
        period,
      })),
  };
}

const sqlName = ({ schema, name }: CatalogueTable): string =>
  `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;

/** A column that the catalogue has for certain. */
export function columnOf(table: CatalogueTable, name: string): CatalogueColumn {
  return table.columns.find((column) => column.name === name) as CatalogueColumn;
}

/** What the ORM sets with every update. */
function touchesOf(meta: EntityMetadata): string[] {
  const field = (name: string) =>
    escapeIdentifier((meta.properties[name as never] as EntityProperty).fieldNames[0] ?? name);
  const instants = instantsSetOnUpdate(meta).filter((name) => name !== meta.versionProperty);
  const version = meta.versionProperty as string | undefined;
  const isInstant =
    version !== undefined && (meta.properties[version as never] as EntityProperty).runtimeType === 'Date';
  return [
    ...instants.map((name) => `${field(name)} = now()`),
    ...(version === undefined
      ? []
      : [`${field(version)} = ${isInstant ? 'now()' : `t.${field(version)} + 1`}`]),
  ];
}

function graphEdge(key: CatalogueKey, { catalogue, metas, tables, relations }: Sources): GraphEdge {
  const [child, parent] = [key.child, key.parent].map((oid) =>
    catalogue.tables.find((one) => one.oid === oid),
  ) as [CatalogueTable, CatalogueTable];
  const own = metas.get(key.child) ?? [];
  const mapped = relations.filter((one) => own.includes(one.meta) && isSame(one.columns, key.columns));
  const declared = mapped.filter((one) => one.policy !== undefined);
  refuseTwo(key.constraint, declared);
  const relation = declared[0] ?? mapped[0];
  const columns = key.columns.map((name) => columnOf(child, name));
  const nullable = (key.emptied.length > 0 ? key.emptied : key.columns)
    .map((name) => columnOf(child, name))
    .filter((column) => column.nullable && !column.generated);
  const emptied = key.matchesFull && nullable.length < key.columns.length ? [] : nullable;
  const childTable = tables.get(key.child) as GraphTable;
  const liveOnly = `(${escapeIdentifier(childTable.deletedAt ?? '').replace(/^"([a-z_][a-z0-9_]*)"$/, '$1')} IS NULL)`;
  const edge = {
    constraint: key.constraint,
    child: childTable,
    parent: tables.get(key.parent) as GraphTable,
    columns,
    referenced: key.referenced.map((name) => columnOf(parent, name)),
    period: key.period,
    onDelete: key.onDelete,
    emptied,
    indexed: key.indexes.some((condition) => condition === null || condition === liveOnly),
  };
  const meta = own.find((one) => isSoftDeletable(one)) ?? own[0];
  const policy = checkPolicy({
    edge,
    relation,
    meta,
    isReferenced: child.referenced,
    isGuarded: isGuarded(catalogue, key),
  });
  return { ...edge, policy };
}

/** A collection and the relation of its link entity, or two classes of a hierarchy, speak for the same rows. */
function refuseTwo(constraint: string, [first, ...more]: readonly Relation[]): void {
  const other = more.find(({ policy }) => policy !== first?.policy);
  if (!first || !other) return;
  throw DeletionError.contradiction(
    first.name,
    constraint,
    `declares ${first.policy}, and ${other.name} declares ${other.policy} for the same rows. Take one of the two back.`,
  );
}

/** Whether two foreign keys have the same columns, in whatever order. */
export function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name) => other.includes(name));
}

/** A declaration that nothing follows would be believed. */
function refuseUnused(relations: readonly Relation[], edges: readonly GraphEdge[]): void {
  for (const { name, policy, columns, target, meta } of relations) {
    if (policy === undefined) continue;
    if (target && !ownDeletionOf(target)) {
      throw DeletionError.contradiction(
        name,
        undefined,
        `declares ${policy}, but ${target.className} does not delete by policies. Call deletion.register(${target.className}), or take the declaration back.`,
      );
    }
    const isUsed = edges.some(
      (edge) =>
        edge.child.entity === meta.root.className &&
        isSame(
          edge.columns.map((one) => one.name),
          columns,
        ),
    );
    if (isUsed) continue;
    throw DeletionError.contradiction(
      name,
      undefined,
      `declares ${policy}, but the database has no foreign key on ${meta.tableName} (${columns.join(', ')}). Add it with a migration, or take the declaration back.`,
    );
  }
}
