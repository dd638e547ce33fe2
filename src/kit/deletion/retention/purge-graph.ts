import type { EntityMetadata } from '@mikro-orm/core';
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { DataDriver } from '../../orm/index.ts';
import { type Catalogue, placeOf, readCatalogue, type Run } from '../catalogue.ts';
import { columnOf, graphTable, isSame, isTable, metasByTable } from '../compile-graph.ts';
import { declaredRelations } from '../declared-relations.ts';
import type { GraphEdge, GraphTable } from '../graph.ts';
import { isHeld, type PartEdge } from '../holds/held-sql.ts';
import { RetentionError } from './retention-error.ts';
import type { Subject } from './subject.ts';

/** A table that is purged, and its conditions as SQL over the row of an alias. */
export interface PurgeTable extends GraphTable {
  /** Dead for longer than the interval, and of the tenant of the purge (`$tenant`). */
  isDue(alias: string): string;
  isHeld(alias: string): string;
}

/** A foreign key that leads to a table that is purged. */
export interface PurgeEdge extends PartEdge {
  readonly constraint: string;
  readonly parent: PurgeTable;
  /** Its rows are links, which go with the row that they refer to. Rows of every other foreign key block it. */
  readonly isLink: boolean;
  isChildHeld(alias: string): string;
}

/** The tables of a purge and all that refers to them in the database, mapped or not. */
export interface PurgeGraph {
  /** Children first; tables that refer to each other in a circle are one group. */
  readonly groups: readonly (readonly PurgeTable[])[];
  readonly tables: readonly PurgeTable[];
  readonly edges: readonly PurgeEdge[];
  /** Soft-deletable tables by their names in the journal. */
  readonly journaled: readonly GraphTable[];
  readonly hasJournal: boolean;
  readonly hasHolds: boolean;
}

/** Reads the foreign keys as they are now: a purge is rare, and what it does cannot be taken back. */
export async function purgeGraph(
  driver: DataDriver,
  run: Run,
  subjects: readonly Subject[],
  hasTenant: boolean,
): Promise<PurgeGraph> {
  const mapped = [...(driver.getMetadata() as unknown as Iterable<EntityMetadata>)].filter(isTable);
  const schema = driver.config.getSchema(true);
  const catalogue = await readCatalogue(
    run,
    mapped.map((meta) => placeOf(meta, schema)),
  );
  const metas = metasByTable(mapped, catalogue);
  const all = new Map(
    catalogue.tables.map((table) => [table.oid, graphTable(table, metas.get(table.oid) ?? [], catalogue)]),
  );
  const keys = keysOf(catalogue, mapped, metas, all);
  const parts = keys.filter(({ isPart }) => isPart);
  const heldSql = (table: GraphTable, alias: string) =>
    catalogue.hasHolds && table.primaryKey.length > 0 ? isHeld(parts, table, alias) : 'false';
  const places = new Map(mapped.map((meta, index) => [meta, all.get(catalogue.places[index] ?? '')]));
  const tables = new Map(
    subjects.map((subject) => {
      const table = places.get(subject.meta);
      if (!table || table.primaryKey.length === 0) throw RetentionError.noTable(subject.meta.className);
      const isDue = (alias: string) => dueSql(table, subject, alias, hasTenant);
      return [table, { ...table, isDue, isHeld: (alias: string) => heldSql(table, alias) }] as const;
    }),
  );
  const edges = keys.flatMap(({ isPart: _isPart, ...key }): PurgeEdge[] => {
    const parent = tables.get(key.parent);
    const child = tables.get(key.child) ?? key.child;
    return parent ? [{ ...key, parent, child, isChildHeld: (alias) => heldSql(key.child, alias) }] : [];
  });
  return {
    groups: inGroups([...tables.values()], edges),
    tables: [...tables.values()],
    edges,
    journaled: [...all.values()].filter(({ deletedAt }) => deletedAt !== undefined),
    hasJournal: catalogue.hasJournal,
    hasHolds: catalogue.hasHolds,
  };
}

type Key = PartEdge & Pick<GraphEdge, 'constraint'> & { readonly isLink: boolean; readonly isPart: boolean };

function keysOf(
  catalogue: Catalogue,
  mapped: readonly EntityMetadata[],
  metas: ReadonlyMap<string, readonly EntityMetadata[]>,
  all: ReadonlyMap<string, GraphTable>,
): Key[] {
  const relations = declaredRelations(mapped);
  return catalogue.keys.map((key) => {
    const own = metas.get(key.child) ?? [];
    const policy = relations.find(
      (one) => own.includes(one.meta) && one.policy !== undefined && isSame(one.columns, key.columns),
    )?.policy;
    const [child, parent] = [all.get(key.child), all.get(key.parent)] as [GraphTable, GraphTable];
    const [low, high] = [key.child, key.parent].map((oid) => catalogue.tables.find((one) => one.oid === oid));
    const isPivot = own.some((meta) => meta.pivotTable);
    const cascades = key.onDelete === 'c' && policy === undefined;
    return {
      constraint: key.constraint,
      child,
      parent,
      columns: key.columns.map((name) => columnOf(low as never, name)),
      referenced: key.referenced.map((name) => columnOf(high as never, name)),
      period: key.period,
      isLink: policy === 'remove' || policy === 'record' || (cascades && isPivot),
      isPart: policy === 'cascade' || (cascades && child.deletedAt !== undefined),
    };
  });
}

function dueSql(table: GraphTable, subject: Subject, alias: string, hasTenant: boolean): string {
  const column = table.columns.find(({ name }) => name === subject.tenantColumn);
  const tenant = column && `${alias}.${escapeIdentifier(column.name)}`;
  const own = Object.entries(subject.tenants).map(
    ([value, interval]) => ` when ${escapeLiteral(value)} then interval ${escapeLiteral(interval)}`,
  );
  const interval = `interval ${escapeLiteral(subject.olderThan)}`;
  const age =
    tenant && own.length > 0 ? `case ${tenant}::text${own.join('')} else ${interval} end` : interval;
  const due = `${alias}.${escapeIdentifier(table.deletedAt ?? '')} <= now() - ${age}`;
  return tenant && hasTenant ? `(${due} and ${tenant} = ($tenant::text)::${column.type})` : due;
}

function inGroups(tables: readonly PurgeTable[], edges: readonly PurgeEdge[]): PurgeTable[][] {
  const above = new Map(tables.map((table) => [table, tablesAbove(table, edges)]));
  const groups: PurgeTable[][] = [];
  // Whoever refers to others has more above it than they have.
  const size = (table: PurgeTable) => above.get(table)?.size ?? 0;
  for (const table of tables.toSorted((a, b) => size(b) - size(a))) {
    const group = groups.find(([one]) => one && above.get(one)?.has(table) && above.get(table)?.has(one));
    if (group) group.push(table);
    else groups.push([table]);
  }
  return groups;
}

function tablesAbove(table: PurgeTable, edges: readonly PurgeEdge[]): Set<GraphTable> {
  const above = new Set<GraphTable>([table]);
  for (const each of above) for (const { child, parent } of edges) if (child === each) above.add(parent);
  return above;
}

/** Whether its rows may refer to each other in a circle, also through other tables. */
export function isCyclic(group: readonly PurgeTable[], edges: readonly PurgeEdge[]): boolean {
  return edges.some(({ child, parent }) => group.includes(child as PurgeTable) && group.includes(parent));
}
